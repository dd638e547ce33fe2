import type { EntityName } from '@mikro-orm/core';
import { currentScope, guardsWrites, visibleRows } from '../soft-delete/index.ts';
import { mappingOf, predicateSql } from './live-sql.ts';
import type { PreparedStatement } from './prepared-statement.ts';

/** The condition that the rows of an entity, called `alias`, are there. */
type Visible = (entity: EntityName<object>, alias: string) => string;

/**
 * Makes a prepared statement that follows the scope, as `live` does: one text and one name for each of live, deleted and all
 * rows, made at the first run of each. Call the answer for each run, in the scope of that run.
 */
export function scopedStatement(
  name: string,
  text: (visible: Visible) => string,
  more: Omit<PreparedStatement, 'name' | 'text'> = {},
): () => PreparedStatement {
  const made = new Map<ReturnType<typeof visibleRows>, PreparedStatement>();
  return () => {
    const rows = visibleRows(currentScope());
    const known = made.get(rows);
    if (known) return known;
    const visible: Visible = (entity, alias) => predicateSql(mappingOf(entity), alias, rows);
    const statement = { ...more, name: rows === 'live' ? name : `${name}_${rows}`, text: text(visible) };
    made.set(rows, statement);
    return statement;
  };
}

/**
 * The same for a change, which keeps to live rows in every scope but `skipSoftDelete`, as those of the ORM do. Both texts are made
 * at the first run.
 */
export function scopedChange(name: string, text: (visible: Visible) => string): () => PreparedStatement {
  const make = (rows: 'live' | 'all'): PreparedStatement => ({
    name: rows === 'live' ? name : `${name}_${rows}`,
    text: text((entity, alias) => predicateSql(mappingOf(entity), alias, rows)),
  });
  let live: PreparedStatement | undefined;
  let all: PreparedStatement | undefined;
  return () => (guardsWrites(currentScope()) ? (live ??= make('live')) : (all ??= make('all')));
}
