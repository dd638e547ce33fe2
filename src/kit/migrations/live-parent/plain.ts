import type { NewMigration } from '../create.ts';
import { LIVE_COLUMN } from './names.ts';
import {
  isSelf,
  type LiveRelation,
  type LiveTable,
  type Marks,
  quoted,
  shownName,
  sqlName,
} from './relation.ts';
import {
  addForeignKey,
  childIndexName,
  createChildIndex,
  dropForeignKey,
  indexName,
  keyName,
  liveExpression,
  withLive,
} from './sql.ts';

/** What is done to a table and undone again, as actions of one ALTER TABLE. */
interface Change {
  readonly table: LiveTable;
  readonly up: readonly string[];
  readonly down: readonly string[];
}

/**
 * One file, one transaction: the tables are rewritten and read while nobody else can use them.
 *
 * @param adopts whether live children of dead parents are left for later; new writes are guarded all the same.
 */
export function plainMigration(relation: LiveRelation, marks: Marks, adopts: boolean): NewMigration {
  const changes = changesOf(relation, marks, adopts);
  const index = relation.isIndexed ? undefined : childIndexName(relation);
  return {
    description: `keep a live parent of ${relation.child.name} by ${relation.columns.join(' ')}`,
    head: headOf(relation, changes, adopts),
    up: [
      ...lockBoth(relation),
      ...(index === undefined ? [] : [createChildIndex(relation)]),
      ...changes.map(({ table, up }) => alter(table, up)),
    ],
    down: [
      ...changes.toReversed().map(({ table, down }) => alter(table, down)),
      ...(index === undefined ? [] : [`DROP INDEX ${indexName(relation.child, index)};`]),
    ],
  };
}

/** In the order in which an insert of a child takes them, which otherwise would wait for this file while this waits for it. */
function lockBoth(relation: LiveRelation): string[] {
  if (isSelf(relation)) return [];
  return [`LOCK TABLE ${sqlName(relation.child)}, ${sqlName(relation.parent)} IN ACCESS EXCLUSIVE MODE;`];
}

const alter = (table: LiveTable, actions: readonly string[]): string =>
  `ALTER TABLE ${sqlName(table)}\n  ${actions.join(',\n  ')};`;

function changesOf(relation: LiveRelation, marks: Marks, adopts: boolean): Change[] {
  const { child, parent, referenced, hasParentKey } = relation;
  const column = (table: LiveTable, mark: string): Change => ({
    table,
    up: table.hasLiveColumn
      ? []
      : [`ADD COLUMN ${quoted(LIVE_COLUMN)} boolean GENERATED ALWAYS AS (${liveExpression(mark)}) STORED`],
    down: table.hasLiveColumn ? [] : [`DROP COLUMN ${quoted(LIVE_COLUMN)}`],
  });
  const key = {
    up: hasParentKey ? [] : [`ADD CONSTRAINT ${quoted(keyName(relation))} UNIQUE (${withLive(referenced)})`],
    down: hasParentKey ? [] : [`DROP CONSTRAINT ${quoted(keyName(relation))}`],
  };
  const foreign = { up: [addForeignKey(relation, adopts)], down: [dropForeignKey(relation)] };
  const top = column(parent, marks.parent);
  if (isSelf(relation)) {
    return [
      {
        table: parent,
        up: [...top.up, ...key.up, ...foreign.up],
        down: [...foreign.down, ...key.down, ...top.down],
      },
    ];
  }
  const bottom = column(child, marks.child);
  return [
    { table: parent, up: [...top.up, ...key.up], down: [...key.down, ...top.down] },
    { table: child, up: [...bottom.up, ...foreign.up], down: [...foreign.down, ...bottom.down] },
  ].filter(({ up }) => up.length > 0);
}

/** The rules of the lint that a small table may break, each with its reason. */
function headOf(relation: LiveRelation, changes: readonly Change[], adopts: boolean): string[] {
  const { child, parent, isIndexed, hasParentKey } = relation;
  const actions = changes.flatMap(({ up }) => up).join();
  const waivers: [string, boolean, string][] = [
    ['L101', !isIndexed, 'the table is small'],
    ['L106', !hasParentKey, 'the table is small'],
    ['L110', !adopts, 'the table is small'],
    [
      'L203',
      actions.includes('GENERATED'),
      'the table is small; "tombstone live-parent add --online" writes the way for a large one',
    ],
    ['L509', changes.length > 1, 'the tables are small, and the guarantee begins on both at once'],
  ];
  return [
    `-- A live row of ${shownName(child)} has a live row of ${shownName(parent)}; the database says so itself.`,
    ...waivers
      .filter(([, breaks]) => breaks)
      .map(([rule, , reason]) => `-- +tombstone waive ${rule}: ${reason}`),
  ];
}
