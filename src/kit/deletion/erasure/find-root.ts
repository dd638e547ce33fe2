import type { EntityClass, EntityMetadata } from '@mikro-orm/core';
import { escapeIdentifier } from 'pg';
import { isDataError } from '../../errors/index.ts';
import type { DataEntityManager } from '../../orm/index.ts';
import type { Run } from '../catalogue.ts';
import { conditionOf } from '../delete-rows.ts';
import type { GraphTable } from '../graph.ts';
import { keyColumns, keyText } from '../key-sql.ts';
import { isMarkOf } from '../mark-sql.ts';
import { selectKeys } from '../remove-rows.ts';
import { statement } from '../statement.ts';
import { ErasureError } from './erasure-error.ts';

/** The row that is to be erased, locked. */
export interface ErasureRoot {
  /** In the form of the journal. */
  readonly key: string;
  readonly isLive: boolean;
}

/** The condition by which an entity manager finds the row of a key. */
export function keyCondition(meta: EntityMetadata, key: unknown): Record<string, unknown> {
  const [first = '', ...more] = meta.primaryKeys;
  const isObject = typeof key === 'object' && key !== null && !Array.isArray(key) && !(key instanceof Date);
  if (isObject) return Object.fromEntries([first, ...more].map((name) => [name, (key as never)[name]]));
  const values = more.length === 0 ? [key] : (key as unknown[]);
  return Object.fromEntries([first, ...more].map((name, index) => [name, values[index]]));
}

/**
 * Locks the row, dead or live, as the filters of the entity manager show it: that of another tenant is not there. The batch that it
 * fell in is locked first, as a restore of it does.
 *
 * @throws ErasureError when there is none.
 */
export async function findRoot(
  em: DataEntityManager,
  run: Run,
  { entity, meta, table }: { entity: EntityClass<object>; meta: EntityMetadata; table: GraphTable },
  key: unknown,
): Promise<ErasureRoot> {
  const condition = keyCondition(meta, key);
  if (Object.values(condition).some((value) => value == null)) throw ErasureError.noRow(meta.className);
  const rows = await em.withDeleted(async (all) =>
    selectKeys(
      all.getDriver(),
      meta,
      await conditionOf(all, entity, condition),
      { ctx: all.getTransactionContext(), ...(all.schema !== undefined && { schema: all.schema }) },
      'shown',
    ),
  );
  const mark = `t.${escapeIdentifier(table.deletedAt ?? '')}`;
  const isRow = `(${keyColumns(table, 't')}) in (select ${keyColumns(table, 'q')} from ($root) q)`;
  const waiver = '/* soft-delete: a dead row too, because it can be erased as well */';
  const ask = async <Row extends object>(text: string): Promise<Row[]> => {
    const { sql, params } = statement(text, { root: rows });
    return run<Row>(sql, params);
  };
  try {
    await ask(`select from deletion_batches b where exists (select from ${table.sql} t where ${isRow} and ${isMarkOf(table, mark, 'b.deleted_at')})
      order by b.id for update ${waiver}`);
    const [root] = await ask<ErasureRoot>(
      `select ${keyText(table, 't')} as key, ${mark} is null as "isLive" from ${table.sql} t where ${isRow} for update ${waiver}`,
    );
    if (root) return root;
  } catch (error) {
    // A text that is no number cannot be the key of a row.
    if (!isDataError(error, 'DATA.INVALID')) throw error;
  }
  throw ErasureError.noRow(meta.className);
}
