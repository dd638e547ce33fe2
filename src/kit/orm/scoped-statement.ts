import type { EntityName } from '@mikro-orm/core';
import { currentScope, visibleRows } from '../soft-delete/index.ts';
import { mappingOf, predicateSql } from './live-sql.ts';
import type { PreparedStatement } from './prepared-statement.ts';

/** The condition that the rows of an entity, called `alias`, are there. */
type Visible = (entity: EntityName<object>, alias: string) => string;

/**
 * Makes a prepared statement that follows the scope, as `live` does: one text and one name for each of live, deleted and all
 * rows. Call the answer for each run, in the scope of that run.
 */
export function scopedStatement(name: string, text: (visible: Visible) => string): () => PreparedStatement {
  return () => {
    const rows = visibleRows(currentScope());
    const visible: Visible = (entity, alias) => predicateSql(mappingOf(entity), alias, rows);
    return { name: rows === 'live' ? name : `${name}_${rows}`, text: text(visible) };
  };
}
