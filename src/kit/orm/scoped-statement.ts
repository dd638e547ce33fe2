import type { EntityMetadata, EntityName } from '@mikro-orm/core';
import { currentScope, guardsWrites, type VisibleRows, visibleRows } from '../soft-delete/index.ts';
import { mappingOf, predicateSql, startedClass } from './live-sql.ts';
import type { PreparedStatement } from './prepared-statement.ts';

/** The condition that the rows of an entity, called `alias`, are there. */
type Visible = (entity: EntityName<object>, alias: string) => string;
type Text = (visible: Visible) => string;
type More = Omit<PreparedStatement, 'name' | 'text'>;

/** A class whose names a text has, and by which ORM it has them. */
interface Named {
  readonly of: ReturnType<typeof startedClass>;
  readonly by: EntityMetadata | undefined;
}

interface Made {
  readonly statement: PreparedStatement;
  readonly named: readonly Named[];
}

/**
 * Makes a prepared statement that follows the scope, as `live` does: one text and one name for each of live, deleted and all
 * rows, made at the first run of each. Call the answer for each run, in the scope of that run.
 */
export function scopedStatement(name: string, text: Text, more: More = {}): () => PreparedStatement {
  const statementFor = keptStatements(name, text, more);
  return () => statementFor(visibleRows(currentScope()));
}

/** The same for a change, which keeps to live rows in every scope but `skipSoftDelete`, as those of the ORM do. */
export function scopedChange(name: string, text: Text): () => PreparedStatement {
  const statementFor = keptStatements(name, text, {});
  return () => statementFor(guardsWrites(currentScope()) ? 'live' : 'all');
}

/** Made anew only where another ORM has been started since, whose names count from then on. */
function keptStatements(name: string, text: Text, more: More): (rows: VisibleRows) => PreparedStatement {
  const kept = new Map<VisibleRows, Made>();
  return (rows) => {
    const known = kept.get(rows);
    if (known?.named.every(isCurrent)) return known.statement;
    const named: Named[] = [];
    const visible: Visible = (entity, alias) => {
      const sql = predicateSql(mappingOf(entity), alias, rows);
      const of = startedClass(entity);
      named.push({ of, by: of.__meta });
      return sql;
    };
    const statement = { ...more, name: rows === 'live' ? name : `${name}_${rows}`, text: text(visible) };
    kept.set(rows, { statement, named });
    return statement;
  };
}

const isCurrent = ({ of, by }: Named): boolean => of.__meta === by;
