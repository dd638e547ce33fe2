import type { SchemaDescription } from '../../drift/description.ts';
import type { SchemaDifference } from '../../drift/difference.ts';
import type { Session } from '../../session.ts';
import type { AlignStep, Blocker } from './align-step.ts';
import { Draft } from './draft.ts';
import { planLeftovers } from './leftovers.ts';
import { PLANNERS } from './planners.ts';
import type { SmallTable } from './table-facts.ts';

/** What a database has and what it should have. */
export interface AlignmentRequest {
  /** Only read, for what the descriptions do not tell: numbers of rows, what depends on what. */
  readonly session: Session;
  /** Objects that shall become as `expected`; what is to be made has no `actual`, and what is to go has no `expected`. */
  readonly differences: readonly SchemaDifference[];
  /** The whole database as it is: where equal objects of another name are found. */
  readonly live: SchemaDescription;
  /** The whole schema as all files make it. */
  readonly target: SchemaDescription;
  /** Columns of a table in the order in which the files give them. */
  columnsOf(table: string): readonly string[];
  /** What may be rewritten under a lock; 10,000 rows and 10 MB when left out. */
  readonly small?: SmallTable;
}

/** How the differences are settled. */
export interface Alignment {
  /** In the order in which they must run. */
  readonly steps: readonly AlignStep[];
  /** Differences that no step can settle. Rows that stand against the target are found by `findBlockers`. */
  readonly blockers: readonly Blocker[];
  /** Names (`kind name`) of live objects that the steps use up: renamed, or replaced by what they stand in the way of. */
  readonly used: readonly string[];
}

/** Plans the steps that settle the differences. Reads only. */
export async function planAlignment(request: AlignmentRequest): Promise<Alignment> {
  const draft = new Draft(request);
  for (const plan of PLANNERS) await plan(draft);
  return draft.finish();
}

/** Plans what takes away the remains of runs that were killed, where nothing is to be aligned. */
export function planClearing(request: Omit<AlignmentRequest, 'differences'>): Alignment {
  const draft = new Draft({ ...request, differences: [] });
  planLeftovers(draft);
  return draft.finish();
}
