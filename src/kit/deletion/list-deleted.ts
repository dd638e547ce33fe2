import type { EntityClass, EntityMetadata } from '@mikro-orm/core';
import { escapeIdentifier } from 'pg';
import type { DataEntityManager } from '../orm/index.ts';
import { isSoftDeletable } from '../soft-delete/index.ts';
import type { Run } from './catalogue.ts';
import { DeletionError } from './errors.ts';
import type { GraphTable } from './graph.ts';
import { runOf } from './graph-of.ts';
import { instantText } from './instant-sql.ts';
import { hasKey, keyText } from './key-sql.ts';
import { pageLimit } from './page-limit.ts';
import { RestoreError } from './restore-error.ts';
import { softTables } from './soft-table.ts';
import { statement } from './statement.ts';

/** A deleted row, by its key and nothing else of it. */
export interface DeletedKey {
  /** The value as text, or several as a JSON array. */
  readonly key: string;
  readonly deletedAt: string;
}

/** A page of deleted rows. */
export interface DeletedKeys {
  readonly rows: readonly DeletedKey[];
  /** `after` of the next page; undefined when this is the last one. */
  readonly next: string | undefined;
}

/**
 * Lists the deleted rows of a class, newest first, with or without a journal; of a hierarchy, those of all its classes.
 *
 * @throws RestoreError when the row of `after` is not deleted, any more or at all.
 */
export async function listDeleted(
  em: DataEntityManager,
  entity: EntityClass<object>,
  page: { readonly limit?: number; readonly after?: string } = {},
): Promise<DeletedKeys> {
  const own = em.fork({ keepTransactionContext: true });
  const run = runOf(own);
  const meta = own.getMetadata().get(entity).root as EntityMetadata;
  if (!isSoftDeletable(meta)) throw DeletionError.notSoftDeletable(meta.className);
  const [table] = await softTables(own, run, [meta]);
  if (!table) return { rows: [], next: undefined };
  const { after } = page;
  if (after !== undefined && !(await isDeleted(run, table, after)))
    throw RestoreError.neverDeleted(meta.className);
  const limit = pageLimit(page.limit);
  const { sql, params } = statement(listSql(table, after !== undefined), { after, limit: limit + 1 });
  const found = await run<DeletedKey>(sql, params);
  const rows = found.slice(0, limit);
  return { rows, next: found.length > limit ? rows.at(-1)?.key : undefined };
}

const isDead = ({ deletedAt = '' }: GraphTable, alias: string): string =>
  `${alias}.${escapeIdentifier(deletedAt)} is not null /* soft-delete: dead rows, because they are what is listed */`;

async function isDeleted(run: Run, table: GraphTable, key: string): Promise<boolean> {
  const text = `select 1 as found from ${table.sql} t where ${hasKey(table, 't', '$key::text')} and ${isDead(table, 't')}`;
  const { sql, params } = statement(text, { key });
  return (await run(sql, params)).length > 0;
}

function listSql(table: GraphTable, isLater: boolean): string {
  const columns = [table.deletedAt ?? '', ...table.primaryKey.map(({ name }) => name)].map(escapeIdentifier);
  const place = (alias: string): string => columns.map((column) => `${alias}.${column}`).join(', ');
  const later = `(${place('t')}) < (select ${place('a')} from ${table.sql} a where ${hasKey(table, 'a', '$after::text')}
      /* soft-delete: dead rows, because they are what is listed */)`;
  return `select ${keyText(table, 't')} as key, ${instantText(`t.${columns[0]}`)} as "deletedAt"
    from ${table.sql} t where ${isDead(table, 't')} ${isLater ? `and ${later}` : ''}
    order by ${columns.map((column) => `t.${column} desc`).join(', ')} limit $limit`;
}
