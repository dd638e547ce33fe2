import type { SchemaDifference } from '../drift/difference.ts';
import type { Blocker, TableLock } from './align/align-step.ts';
import type { Inspection } from './inspect.ts';
import type { PlannedStep } from './plan.ts';
import type { AdoptionState } from './state.ts';

/** A step as a person and a program read it. */
export interface ShownStep {
  /** `rows` changes rows, `schema` an object, `run` and `online` do what a file does, `record` only writes it into the ledger. */
  readonly kind: PlannedStep['kind'];
  readonly text: string;
  /** The file that it belongs to, as in the ledger. */
  readonly file?: string;
  /** Qualified. */
  readonly table?: string;
  /** The strongest lock that it takes on the table. */
  readonly lock?: TableLock;
  /** Rows that it will change; undefined where that cannot be known yet. */
  readonly rows?: number | undefined;
}

/** What an adoption would do. */
export interface AdoptionPlan {
  readonly state: AdoptionState;
  /** Sentences that say by what the state was told. */
  readonly signs: readonly string[];
  readonly blockers: readonly Blocker[];
  readonly steps: readonly ShownStep[];
  /** Contract steps that are left for when the original is gone. */
  readonly waiting: readonly string[];
  /** What the files do not know, or know in another form, and the database keeps. */
  readonly kept: readonly SchemaDifference[];
  readonly warnings: readonly string[];
}

/** The plan without what carries it out. */
export function describePlan(found: Inspection): AdoptionPlan {
  const { state, signs, blockers, steps, waiting, kept, warnings } = found;
  return {
    state,
    signs,
    blockers,
    steps: steps.map(describeStep),
    waiting: waiting.map(({ name }) => name),
    kept,
    warnings,
  };
}

/** One step as it is shown, told about and recorded. */
export function describeStep(step: PlannedStep): ShownStep {
  const { kind } = step;
  switch (kind) {
    case 'rows': {
      const { rule, rows } = step.rule;
      return { kind, text: `${rule.name}: ${rule.reason}`, table: rule.table, lock: 'ROW EXCLUSIVE', rows };
    }
    case 'schema': {
      const { text, table, lock } = step.step;
      return { kind, text, file: step.file.name, table, lock };
    }
    case 'run': {
      const from = step.behind > 0 ? ` from statement ${step.behind + 1}` : '';
      return { kind, text: `run ${step.file.name}${from}`, file: step.file.name };
    }
    case 'online': {
      const { file, online } = step;
      const text = `do what ${file.name} does while the table is in use`;
      return { kind, text, file: file.name, table: online.table, lock: 'ACCESS EXCLUSIVE' };
    }
    default:
      return { kind, text: `record ${step.file.name}: what it makes is there`, file: step.file.name };
  }
}
