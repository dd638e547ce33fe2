import { BACKSTOP_SETTING } from '../backstop.ts';
import type { NewMigration } from '../create.ts';
import { LIVE_COLUMN, liveNames } from './names.ts';
import { type LiveRelation, type LiveTable, type Marks, quoted, shownName, sqlName } from './relation.ts';
import {
  addForeignKey,
  childIndexName,
  createChildIndex,
  dropForeignKey,
  indexName,
  keyName,
  liveExpression,
  tablesToFill,
  withLive,
} from './sql.ts';
import { addCheck, dropCheck, validateMigrations } from './validate.ts';

/**
 * Several files, none of which keeps anybody waiting for longer than a change of the catalogue takes: the column with what keeps
 * it, a back-fill and an index for each table, the foreign key, which guards new writes at once, and its validation.
 *
 * The column begins as true in every row, which costs nothing, so that only dead rows are gone through.
 *
 * @param adopts leaves the validation out, for a database that has orphans.
 */
export function onlineMigrations(relation: LiveRelation, marks: Marks, adopts: boolean): NewMigration[] {
  const tables = tablesToFill(relation, marks);
  const guarded = (table: LiveTable): LiveTable =>
    tables.some((one) => one.table.name === table.name && one.table.schema === table.schema)
      ? { ...table, hasLiveColumn: true, hasLiveCheck: true }
      : table;
  const after = { ...relation, child: guarded(relation.child), parent: guarded(relation.parent) };
  return [
    ...tables.map(({ table, mark }) => keepColumn(table, mark)),
    ...tables.map(({ table, mark }) => fillColumn(table, mark)),
    ...buildIndexes(relation),
    guard(relation),
    ...(adopts ? [] : validateMigrations(after, marks)),
  ];
}

/** From here on every write keeps the column, and the check holds whoever switches triggers off to it. */
function keepColumn(table: LiveTable, mark: string): NewMigration {
  const name = sqlName(table);
  const trigger = indexName(table, liveNames.function(table.name));
  const live = quoted(LIVE_COLUMN);
  return {
    description: `keep ${LIVE_COLUMN} of ${table.name}`,
    head: [
      `-- ${LIVE_COLUMN} is true in a live row of ${shownName(table)} and NULL in a deleted one. All rows begin as live; the next files`,
      '-- correct those that are deleted. The trigger is called for a row whose mark changes and for no other.',
      '-- +tombstone waive L114: it takes the lock that the ALTER TABLE above it has taken, and holds it no longer',
    ],
    up: [
      `ALTER TABLE ${name}\n  ADD COLUMN ${live} boolean DEFAULT true,\n  ${addCheck(table, mark)};`,
      `CREATE FUNCTION ${trigger}() RETURNS trigger LANGUAGE plpgsql AS $live$\nBEGIN\n` +
        `  NEW.${live} := ${liveExpression(mark, 'NEW.')};\n  RETURN NEW;\nEND\n$live$;`,
      `CREATE TRIGGER ${quoted(liveNames.trigger())} BEFORE INSERT OR UPDATE ON ${name}\n` +
        `  FOR EACH ROW WHEN (NEW.${live} IS DISTINCT FROM ${liveExpression(mark, 'NEW.')})\n  EXECUTE FUNCTION ${trigger}();`,
    ],
    down: [
      `DROP TRIGGER ${quoted(liveNames.trigger())} ON ${name};`,
      `DROP FUNCTION ${trigger}();`,
      `ALTER TABLE ${name} ${dropCheck(table)}, DROP COLUMN ${live};`,
    ],
  };
}

/** A table without a key that a back-fill takes is corrected at once: that locks its dead rows, which nobody writes. */
function fillColumn(table: LiveTable, mark: string): NewMigration {
  const { fillKey } = table;
  const description = `fill ${LIVE_COLUMN} of ${table.name}`;
  const [name, live, at] = [sqlName(table), quoted(LIVE_COLUMN), quoted(mark)];
  const allowed = `WITH allowed AS (SELECT set_config('${BACKSTOP_SETTING}', 'on', true))\nUPDATE ${name} SET ${live} = NULL FROM allowed\nWHERE `;
  const isStale = `${at} IS NOT NULL AND ${live} IS NOT NULL;`;
  if (fillKey === null) {
    const head = [
      `-- ${shownName(table)} has no single key that batches could be cut by. Only deleted rows are locked.`,
    ];
    return { description, head, up: [allowed + isStale], down: [] };
  }
  const key = quoted(fillKey);
  return {
    description,
    head: [
      '-- Goes through the deleted rows; a backstop of the table is told that this is meant.',
      '-- +goose NO TRANSACTION',
    ],
    up: [
      `-- +tombstone backfill table=${name} key=${key} batch=1000 passes=3\n${allowed}${key} BETWEEN $1 AND $2 AND ${isStale}`,
      `-- +tombstone verify different\nSELECT ${key} FROM ${name} WHERE ${live} IS DISTINCT FROM ${liveExpression(mark)};`,
    ],
    down: [],
  };
}

function buildIndexes(relation: LiveRelation): NewMigration[] {
  const { parent, child, referenced, isIndexed, hasParentKey } = relation;
  const key = {
    up: `CREATE UNIQUE INDEX CONCURRENTLY ${quoted(keyName(relation))} ON ${sqlName(parent)} (${withLive(referenced)});`,
    down: dropIndex(parent, keyName(relation)),
  };
  const index = {
    up: createChildIndex(relation, 'CONCURRENTLY '),
    down: dropIndex(child, childIndexName(relation)),
  };
  const all = [...(hasParentKey ? [] : [key]), ...(isIndexed ? [] : [index])];
  if (all.length === 0) return [];
  return [
    {
      description: `index ${LIVE_COLUMN} of ${parent.name} for ${child.name}`,
      head: ['-- +goose NO TRANSACTION'],
      up: all.map(({ up }) => up),
      down: all.toReversed().map(({ down }) => down),
    },
  ];
}

const dropIndex = (table: LiveTable, name: string): string =>
  `DROP INDEX CONCURRENTLY IF EXISTS ${indexName(table, name)};`;

function guard(relation: LiveRelation): NewMigration {
  const { child, parent, columns } = relation;
  return {
    description: `guard the live parent of ${child.name} by ${columns.join(' ')}`,
    head: [
      `-- From here on no write leaves a live row of ${shownName(child)} without a live row of ${shownName(parent)}.`,
      '-- What was there before is checked by the file that validates.',
    ],
    up: [`ALTER TABLE ${sqlName(child)}\n  ${addForeignKey(relation, true)};`],
    down: [`ALTER TABLE ${sqlName(child)} ${dropForeignKey(relation)};`],
  };
}
