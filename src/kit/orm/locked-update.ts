import { type ArrayUpdate, type Quote, updateParts } from './array-update.ts';

/** An update of many rows that is all of them or none, or of those that are there. */
export interface LockedUpdate extends Pick<
  ArrayUpdate,
  'table' | 'keys' | 'sets' | 'computed' | 'live' | 'conditions'
> {
  /** Whether rows that are not there keep the others from being changed. */
  readonly isWhole: boolean;
  /** Whether two keys may be the same for the database, though their texts differ. */
  readonly mayRepeat: boolean;
}

/** The answer of the statement. */
export interface LockedAnswer {
  /** The number of rows that were updated. */
  readonly count: number;
  /** Which of the given rows are there, from 1; null for none, and where all of them were updated. */
  readonly places: readonly (number | string)[] | null;
}

/**
 * The statement that locks the rows in the order of their keys and updates them then. One statement does both, so that the answer
 * is known before the first row is written: where a row is missing nothing fails, and a transaction around it goes on.
 *
 * The order of the arrays would not do. In a table of a few pages the planner may look through all rows, and their order changes
 * with each update.
 */
export function lockedUpdate(update: LockedUpdate, quote: Quote): { text: string; values: unknown[] } {
  const { source, joins, assignments, values } = updateParts({ ...update, numbered: true }, quote);
  const live = [update.live('t')].filter(Boolean);
  const found = [...joins, ...live, ...update.conditions].join(' and ');
  const order = update.keys.map(({ column }) => `"t".${quote(column)}`).join(', ');
  const written = [...joins, ...live, ...conditionOf(update)].join(' and ');
  return {
    text:
      `with l as materialized (select "u".* from ${source} join ${update.table} as "t" on ${found} ` +
      `order by ${order} for no key update of "t"), ` +
      `w as (update ${update.table} as "t" set ${assignments.join(', ')} from l as "u" where ${written} returning 1) ` +
      `select ${countOf(update)} as count, ` +
      'case when count(*) <> cardinality($1) then (select array_agg(n) from l) end as places from w',
    values: [...values],
  };
}

/** Asked once, when all rows are locked and none is written. */
function conditionOf({ isWhole, mayRepeat, keys }: LockedUpdate): string[] {
  const all = isWhole ? ['(select count(*) from l) = cardinality($1)'] : [];
  const names = keys.map((_, n) => `k${n}`).join(', ');
  return mayRepeat ? [...all, `(select count(distinct (${names})) = count(*) from l)`] : all;
}

/** A trigger may pass over a row. That is too late to be an answer, so the statement fails: the words are no number. */
function countOf({ isWhole }: LockedUpdate): string {
  if (!isWhole) return 'count(*)::int';
  const words = "count(*) || ' of ' || cardinality($1) || ' rows were updated'";
  return `case when count(*) in (0, cardinality($1)) then count(*)::int else (${words})::int end`;
}
