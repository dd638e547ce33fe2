import { planColumns } from './columns.ts';
import { planConstraints } from './constraints.ts';
import type { Draft } from './draft.ts';
import { planExtraUniques } from './extra-uniques.ts';
import { planIndexes } from './indexes.ts';
import { planKeys } from './keys.ts';
import { planLeftovers } from './leftovers.ts';
import { planPrograms } from './programs.ts';
import { planRemovals } from './removals.ts';
import { planSequences } from './sequences.ts';
import { planTables } from './tables.ts';

/** Each takes the differences that it can settle; what an earlier one has used is not there for a later one. */
export const PLANNERS: readonly ((draft: Draft) => void | Promise<void>)[] = [
  planLeftovers,
  planTables,
  planSequences,
  planColumns,
  planKeys,
  planIndexes,
  planConstraints,
  planExtraUniques,
  planPrograms,
  planRemovals,
];
