import type { SchemaDescription } from '../../drift/description.ts';
import type { SchemaDifference } from '../../drift/difference.ts';
import type { Session } from '../../session.ts';
import type { AlignStep, Blocker } from './align-step.ts';

/** What a database has and what it should have. */
export interface AlignmentRequest {
  /** Only read, for what the descriptions do not tell: order of columns, numbers of rows, what depends on what. */
  readonly session: Session;
  /** Objects that shall become as `expected`; what is to be made has no `actual`, and what is to go has no `expected`. */
  readonly differences: readonly SchemaDifference[];
  /** The whole database as it is: where equal objects of another name are found. */
  readonly live: SchemaDescription;
  /** The whole schema as all files make it. */
  readonly target: SchemaDescription;
  /** Columns of a table in the order in which the files give them. */
  columnsOf(table: string): readonly string[];
}

/** How the differences are settled. */
export interface Alignment {
  /** In the order in which they must run. */
  readonly steps: readonly AlignStep[];
  /** Differences that no step can settle. */
  readonly blockers: readonly Blocker[];
  /** Names (`kind name`) of live objects that the steps use up: renamed, or replaced by what they stand in the way of. */
  readonly used: readonly string[];
}

/** Plans the steps that settle the differences. Reads only. */
export function planAlignment(_request: AlignmentRequest): Promise<Alignment> {
  throw new Error('not yet');
}
