import type { BackstopTable } from '../backstop.ts';
import type { TableFacts } from './facts.ts';

/** The name by which most schemas know the mark. */
const USUAL_MARK = 'deleted_at';

/**
 * Which tables are soft-deletable, with the column that marks their rows: those of entities, and every other one that has a
 * nullable date or time of such a name. So it works on a database that no entity describes.
 *
 * @param marks further names of such columns.
 */
export function softTables(
  tables: readonly TableFacts[],
  declared: readonly BackstopTable[],
  marks: readonly string[],
): Map<string, string> {
  const names = new Set([USUAL_MARK, ...marks, ...declared.map(({ deletedAt }) => deletedAt)]);
  return new Map(
    tables.flatMap((table) => {
      const mark = declaredMark(table, declared) ?? markByName(table, names);
      return mark === undefined ? [] : [[table.oid, mark] as const];
    }),
  );
}

function declaredMark(
  { schema, name, columns }: TableFacts,
  declared: readonly BackstopTable[],
): string | undefined {
  const entity = declared.find(
    (each) => each.table === name && ['*', schema].includes(each.schema ?? 'public'),
  );
  return columns.find((column) => column.name === entity?.deletedAt)?.name;
}

function markByName({ columns }: TableFacts, names: ReadonlySet<string>): string | undefined {
  return columns.find(({ name, isMoment, isNotNull }) => names.has(name) && isMoment && !isNotNull)?.name;
}
