import {
  type DoctorFacts,
  type ForeignKeyFacts,
  type IndexFacts,
  indexesOf,
  primaryOf,
  quoted,
  tableOf,
  type TableFacts,
} from '../facts.ts';
import { LIVE_COLUMN } from '../../live-parent/names.ts';
import { buildIndex, dropIndex, isLive, markOf, replaceIndex, shownIn, softIndexes } from '../mend-index.ts';
import type { DoctorRule } from '../rule.ts';

/** Below it, reading the table is as fast as any index. */
const MANY = 10_000;

/** Rules about what makes reads of live rows slow. */
export const INDEX_RULES: readonly DoctorRule[] = [
  {
    id: 'D301',
    severity: 'warning',
    sentence: 'No index leads to the live rows of a parent, so each look-up of them reads the whole table.',
    alternative: 'Create an index of live rows that the columns of the foreign key lead.',
    check: (facts) =>
      facts.foreignKeys
        .filter((key) => facts.soft.has(key.table) && !isGuard(key) && !isCovered(facts, key))
        .map((key) => ({ about: shownIn(facts, key), sql: coverKey(facts, key) })),
  },
  {
    id: 'D302',
    severity: 'warning',
    sentence: 'More rows are deleted than live, and no index leaves them out.',
    alternative: 'Create an index of live rows, with the columns that lists are ordered by.',
    check: (facts) =>
      [...facts.tables.values()]
        .filter((table) => table.parent === null && isMostlyDead(facts, table))
        .flatMap((table) => indexLive(facts, table)),
  },
  {
    id: 'D303',
    severity: 'warning',
    sentence: 'An index of the mark alone has an entry for each live row, and helps no query of live rows.',
    alternative: 'Index the deleted rows only, which is what a purge and a trash list look for.',
    check: (facts) =>
      softIndexes(facts)
        .filter((index) => isOfMarkAlone(facts, index))
        .map((index) => ({ about: shownIn(facts, index), sql: indexDead(facts, index) })),
  },
];

/** Whether the table has such an index; a divided one may have it in parts. */
function hasIndex(facts: DoctorFacts, table: string, isSuch: (index: IndexFacts) => boolean): boolean {
  if (indexesOf(facts, table).some((index) => index.isUsable && isSuch(index))) return true;
  const parts = [...facts.tables.values()].filter(({ parent }) => parent === table);
  return parts.length > 0 && parts.every(({ oid }) => hasIndex(facts, oid, isSuch));
}

/** The key that keeps a live parent stands beside one of the same columns, and what leads to the rows of that leads to its own. */
const isGuard = ({ columns }: ForeignKeyFacts): boolean => columns.includes(LIVE_COLUMN);

/** Whether an index leads to the live rows that have a key: whatever it asks for beside that, every such row satisfies. */
function isCovered(facts: DoctorFacts, { table, columns }: ForeignKeyFacts): boolean {
  return hasIndex(facts, table, ({ method, keys, conditions }) => {
    const leading = new Set(keys.slice(0, columns.length).map(({ column }) => column));
    return (
      ['btree', 'hash'].includes(method) &&
      columns.every((column) => leading.has(column)) &&
      conditions.every(({ form, notNull }) => form === 'live' || columns.includes(notNull ?? ''))
    );
  });
}

function coverKey(facts: DoctorFacts, key: ForeignKeyFacts): string[] {
  const table = tableOf(facts, key);
  const name = facts.names.take(table.schema, `${table.name}_${key.columns.join('_')}`, '_live');
  const body = `USING btree (${key.columns.map(quoted).join(', ')})`;
  return buildIndex(facts, table, name, { isUnique: false, body, where: isLive(markOf(facts, key)) });
}

function isMostlyDead(facts: DoctorFacts, { oid, rows, columns }: TableFacts): boolean {
  const mark = facts.soft.get(oid);
  if (mark === undefined || rows < MANY) return false;
  const nulls = columns.find(({ name }) => name === mark)?.nulls ?? 1;
  return (
    nulls < 0.5 && !hasIndex(facts, oid, ({ conditions }) => conditions.some(({ form }) => form === 'live'))
  );
}

/** In the order of the primary key; a table without one has no order that all of its lists share. */
function indexLive(facts: DoctorFacts, table: TableFacts): { about: string; sql: string[] }[] {
  const primary = primaryOf(facts, table.oid);
  if (!primary) return [];
  const name = facts.names.take(table.schema, table.name, '_live');
  const body = `USING btree (${primary.keys.map(({ text }) => text).join(', ')})`;
  const where = isLive(markOf(facts, { table: table.oid }));
  return [{ about: table.shown, sql: buildIndex(facts, table, name, { isUnique: false, body, where }) }];
}

function isOfMarkAlone(
  facts: DoctorFacts,
  { keys, hasPayload, isUnique, conditions, table }: IndexFacts,
): boolean {
  const isAlone = keys.length === 1 && keys[0]?.column === markOf(facts, { table });
  return isAlone && !isUnique && !hasPayload && conditions.every(({ form }) => form === 'live');
}

function indexDead(facts: DoctorFacts, index: IndexFacts): string[] {
  const mark = markOf(facts, index);
  const isThere = indexesOf(facts, index.table).some(
    ({ keys, isUsable, conditions }) =>
      isUsable && keys[0]?.column === mark && conditions[0]?.notNull === mark,
  );
  if (isThere) return dropIndex(facts, index);
  return replaceIndex(facts, index, {
    isUnique: false,
    body: index.body,
    where: `${quoted(mark)} IS NOT NULL`,
  });
}
