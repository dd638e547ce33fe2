import { LIVE_COLUMN, liveNames } from './names.ts';
import { isSelf, type LiveRelation, type LiveTable, type Marks, quoted, sqlName } from './relation.ts';

/** True where the row is live, and NULL where it is deleted. */
export const liveExpression = (mark: string, row = ''): string =>
  `CASE WHEN ${row}${quoted(mark)} IS NULL THEN true END`;

const list = (columns: readonly string[]): string => columns.map(quoted).join(', ');

/** The columns of a key with the live one behind them. */
export const withLive = (columns: readonly string[]): string => list([...columns, LIVE_COLUMN]);

/**
 * The second foreign key. A dead child has a NULL in it and is exempt. It speaks at once, so that a refusal names its statement, and
 * can be deferred, because a deletion by policies marks parents before their children.
 */
export function addForeignKey({ child, parent, columns, referenced }: LiveRelation, isLate: boolean): string {
  const name = quoted(liveNames.foreignKey(child.name, columns));
  return (
    `ADD CONSTRAINT ${name} FOREIGN KEY (${withLive(columns)})\n` +
    `    REFERENCES ${sqlName(parent)} (${withLive(referenced)}) DEFERRABLE INITIALLY IMMEDIATE${isLate ? ' NOT VALID' : ''}`
  );
}

export const dropForeignKey = ({ child, columns }: LiveRelation): string =>
  `DROP CONSTRAINT ${quoted(liveNames.foreignKey(child.name, columns))}`;

/** An index in the schema of its table, which is what names it when it is dropped. */
export const indexName = (table: LiveTable, name: string): string =>
  table.isVisible ? quoted(name) : `${quoted(table.schema)}.${quoted(name)}`;

export const keyName = ({ parent, referenced }: LiveRelation): string =>
  liveNames.key(parent.name, referenced);

export const childIndexName = ({ child, columns }: LiveRelation): string =>
  liveNames.index(child.name, columns);

/** An index without the live column: it finds the children, and a mark that changes leaves it alone. */
export function createChildIndex(relation: LiveRelation, how = ''): string {
  return `CREATE INDEX ${how}${quoted(childIndexName(relation))} ON ${sqlName(relation.child)} (${list(relation.columns)});`;
}

/** The tables that lack the live column, each with its mark. */
export function tablesToFill(relation: LiveRelation, marks: Marks): { table: LiveTable; mark: string }[] {
  const { child, parent } = relation;
  const ends = isSelf(relation)
    ? [{ table: parent, mark: marks.parent }]
    : [
        { table: parent, mark: marks.parent },
        { table: child, mark: marks.child },
      ];
  return ends.filter(({ table }) => !table.hasLiveColumn);
}
