import type { SchemaDescription } from '../drift/description.ts';
import type { MigrationFile } from '../files.ts';
import type { LedgerRow } from '../ledger.ts';
import type { Blocker } from './align/align-step.ts';
import { judge } from './judge.ts';
import { type ForeignLedger, TOOL_NAMES } from './ledgers/foreign-ledger.ts';
import { mapApplied } from './ledgers/map-applied.ts';
import { moveAside } from './ledgers/move-aside.ts';
import type { PlannedStep } from './plan.ts';
import { Simulated } from './simulated.ts';
import { list } from './state.ts';
import type { Timeline } from './timeline.ts';

/** What is planned from. */
export interface ForeignRequest {
  readonly ledger: ForeignLedger;
  /** Whose numbers the ledger holds, where there are several modules. */
  readonly module: string | undefined;
  readonly timeline: Timeline;
  readonly live: SchemaDescription;
  readonly rows: readonly LedgerRow[];
}

/** How the history of another tool becomes ours. */
export interface ForeignPlan {
  readonly steps: readonly PlannedStep[];
  readonly blockers: readonly Blocker[];
  readonly signs: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Records the files that the ledger says are applied, once everything that they make was found in the catalogue. Nothing is run.
 *
 * @throws MigrationError `MIGRATION.ADOPTION` when the module is not told.
 */
export function planForeign({ ledger, module, timeline, live, rows }: ForeignRequest): ForeignPlan {
  const { files, unknown, repeatable } = mapApplied(
    ledger,
    timeline.effects.map(({ file }) => file),
    module,
  );
  const recorded = new Set(rows.map(({ filename }) => filename));
  const open = files.filter(({ name }) => !recorded.has(name));
  const aside = moveAside(ledger);
  const [first] = open;
  return {
    steps: [
      ...(aside && first ? [{ kind: 'schema' as const, file: first, step: aside }] : []),
      ...open.map((file) => ({ kind: 'record' as const, file })),
    ],
    blockers: unproved(files, timeline, live),
    signs: [
      `${ledger.table} is a ledger of ${TOOL_NAMES[ledger.tool]}, and says that ${files.length} of these files are applied.`,
    ],
    warnings: [...ledger.notes, ...gaps(files, timeline), ...listed(unknown, repeatable)],
  };
}

/** What an applied file makes, and no applied file behind it makes otherwise, has to be there. */
function unproved(files: readonly MigrationFile[], all: Timeline, live: SchemaDescription): Blocker[] {
  const timeline = { ...all, effects: all.effects.filter(({ file }) => files.includes(file)) };
  const schema = new Simulated(live);
  return timeline.effects.flatMap(({ file }, index) => {
    const { open } = judge(timeline, index, schema, []);
    if (open.length === 0) return [];
    const objects = open.map(({ kind, name }) => `${kind} ${name}`);
    const text = `${file.name} is applied, says the ledger, and the database lacks, or has otherwise: ${list(objects)}. Bring the database or the file in line with what was run, and run again.`;
    return { kind: 'shape' as const, object: file.name, text };
  });
}

/** A pending file below an applied one would be refused by the next run. */
function gaps(files: readonly MigrationFile[], { effects }: Timeline): string[] {
  const last = files.at(-1);
  if (!last) return [];
  const end = effects.findIndex(({ file }) => file === last);
  const below = effects
    .slice(0, end)
    .filter(({ file }) => file.module === last.module && !files.includes(file))
    .map(({ file }) => file.name);
  if (below.length === 0) return [];
  return [
    `${list(below)} lies below an applied file and is not applied. Give it a number above, before the next run.`,
  ];
}

function listed(unknown: readonly string[], repeatable: readonly string[]): string[] {
  return [
    ...(unknown.length === 0 ? [] : [`The ledger lists what no file was found for: ${list(unknown)}.`]),
    ...(repeatable.length === 0
      ? []
      : [`Repeatable scripts without a file here, whose objects stay: ${list(repeatable)}.`]),
  ];
}
