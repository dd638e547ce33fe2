import type { GraphTable } from './graph.ts';

/** Of this type a mark has the clock of its batch as it is. */
const EXACT = 'timestamp with time zone';

/** An instant as the mark of a table stores it: its type may be coarser than the clock. */
export const asMark = ({ markType }: GraphTable, instant: string): string => `(${instant})::${markType}`;

/** That a mark may come from the clock of a batch; by a coarse one the index of the batches finds what is near. */
export function isMarkOf(table: GraphTable, mark: string, clock: string): string {
  const isSame = `${asMark(table, clock)} = ${mark}`;
  if (table.markType === EXACT) return isSame;
  return `${clock} between ${mark} - interval '2 days' and ${mark} + interval '2 days' and ${isSame}`;
}
