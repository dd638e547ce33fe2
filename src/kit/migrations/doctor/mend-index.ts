import { type DoctorFacts, type IndexFacts, quoted, tableOf, type TableFacts } from './facts.ts';

/** What stands behind the table in CREATE INDEX. */
export interface IndexShape {
  readonly isUnique: boolean;
  /** Begins with USING. */
  readonly body: string;
  readonly where: string;
}

/** Builds an index without stopping writers; of a divided table part by part, because CONCURRENTLY is refused there. */
export function buildIndex(facts: DoctorFacts, table: TableFacts, name: string, shape: IndexShape): string[] {
  const { isUnique, body, where } = shape;
  const create = isUnique ? 'CREATE UNIQUE INDEX' : 'CREATE INDEX';
  const rest = `${body} WHERE ${where}`;
  if (!table.isPartitioned) return [`${create} CONCURRENTLY ${quoted(name)} ON ${table.sql} ${rest}`];
  const parts = [...facts.tables.values()].filter(({ parent }) => parent === table.oid);
  return [
    `${create} ${quoted(name)} ON ONLY ${table.sql} ${rest}`,
    ...parts.flatMap((part) => {
      const ofPart = facts.names.take(part.schema, part.name, '_live');
      return [
        ...buildIndex(facts, part, ofPart, shape),
        `ALTER INDEX ${indexIn(table, name)} ATTACH PARTITION ${indexIn(part, ofPart)}`,
      ];
    }),
  ];
}

/** Builds the index anew with another shape, and gives it the name of the old one, which is an interface. */
export function replaceIndex(facts: DoctorFacts, index: IndexFacts, shape: IndexShape): string[] {
  const table = tableOf(facts, index);
  const name = facts.names.take(table.schema, index.name, '_new');
  return [
    ...buildIndex(facts, table, name, shape),
    ...dropIndex(facts, index),
    `ALTER INDEX ${indexIn(table, name)} RENAME TO ${quoted(index.name)}`,
  ];
}

/** Drops an index, with its constraint when it has one. */
export function dropIndex(facts: DoctorFacts, index: IndexFacts): string[] {
  const table = tableOf(facts, index);
  if (index.constraint) return [`ALTER TABLE ${table.sql} DROP CONSTRAINT ${quoted(index.constraint.name)}`];
  const how = table.isPartitioned ? 'DROP INDEX' : 'DROP INDEX CONCURRENTLY';
  return [`${how} ${indexIn(table, index.name)}`];
}

/** The predicate of live rows, with what else an index asks for. */
export function liveWhere(facts: DoctorFacts, index: IndexFacts): string {
  const others = index.conditions.filter(({ form }) => form === 'other' || form === 'dead');
  return [...others.map(({ text }) => text), isLive(markOf(facts, index))]
    .map((each) => `(${each})`)
    .join(' AND ');
}

/** The condition that a row is live. */
export const isLive = (mark: string): string => `${quoted(mark)} IS NULL`;

/** The column that marks rows of the table as deleted; asked only for tables that have one. */
export function markOf({ soft }: DoctorFacts, { table }: { readonly table: string }): string {
  return soft.get(table) as string;
}

/** How a finding names an index, a constraint or a column. */
export function shownIn(facts: DoctorFacts, item: { readonly table: string; readonly name: string }): string {
  return `${tableOf(facts, item).shown}.${item.name}`;
}

/** The indexes of soft-deletable tables that are no part of a larger one. */
export function softIndexes({ indexes, soft }: DoctorFacts): IndexFacts[] {
  return [...soft.keys()].flatMap((table) =>
    (indexes.get(table) ?? []).filter(({ parent }) => parent === null),
  );
}

const indexIn = ({ schema }: TableFacts, name: string): string => `${quoted(schema)}.${quoted(name)}`;
