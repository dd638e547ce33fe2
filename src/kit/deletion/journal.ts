import type { EntityMetadata } from '@mikro-orm/core';
import { escapeIdentifier } from 'pg';
import type { BatchId } from './batch-id.ts';
import type { Run } from './catalogue.ts';
import type { GraphTable } from './graph.ts';
import { hasKey, keyText } from './key-sql.ts';
import { isMarkOf } from './mark-sql.ts';
import { RestoreError } from './restore-error.ts';

/** A batch as the journal has it; instants as text, since a Date has no microseconds. */
export interface JournalBatch {
  readonly id: BatchId;
  readonly deletedAt: string;
  readonly restored: boolean;
  /** Whether its rows were removed for good, and its entries with them. */
  readonly purged: boolean;
  /** The tables that rows of it have fallen in, the edges that were unlinked, the tables that rows were removed from. */
  readonly contents: readonly Contents[];
}

/** One kind of rows of a batch. */
export interface Contents {
  readonly kind: string;
  readonly table: string;
  readonly edge: string;
  readonly rows: number;
}

/** What the journal says of one dead row. */
export interface JournalEntry {
  readonly batch: BatchId;
  readonly deletedAt: string;
  readonly actor: string | null;
  readonly reason: string | null;
  readonly tenant: string | null;
  readonly edge: string;
  readonly cause: string | null;
}

const CONTENTS = `(select coalesce(json_agg(c), '[]') from (
       select kind, table_name as table, case kind when 'unlinked' then edge else '' end as edge, sum(cardinality(keys))::int as rows
       from deletion_entries where batch_id = deletion_batches.id group by 1, 2, 3 order by 1, 2, 3) c)`;

/**
 * Reads the batch, and holds it against everybody who would restore it too.
 *
 * @throws RestoreError when there is none.
 */
export async function readBatch(run: Run, id: BatchId, lock: boolean): Promise<JournalBatch> {
  const [found] = await run<JournalBatch>(
    `select id, deleted_at::text as "deletedAt", restored_at is not null as restored,
       to_jsonb(deletion_batches) ->> 'purged_at' is not null as purged, ${CONTENTS} as contents
     from deletion_batches where id = ?${lock ? ' for update' : ''}`,
    [id],
  );
  if (!found) throw RestoreError.unknownBatch(id);
  return found;
}

/**
 * Why the row is dead: the entry of the batch that it fell in last. Undefined when it was deleted without the journal.
 *
 * @throws RestoreError when the row is live or does not exist.
 */
export async function entryOf(
  run: Run,
  meta: EntityMetadata,
  table: GraphTable,
  key: string,
): Promise<JournalEntry | undefined> {
  const mark = `t.${escapeIdentifier(table.deletedAt ?? '')}`;
  const [row] = await run<JournalEntry & { batch: BatchId | null }>(
    `select b.id as batch, b.deleted_at::text as "deletedAt", b.actor, b.reason, b.tenant, b.edge, b.cause
     from ${table.sql} t left join lateral (
       select b.*, e.edge, e.cause from deletion_rows e join deletion_batches b on b.id = e.batch_id
       where e.table_name = ? and e.key = ${keyText(table, 't')} and e.kind = 'fell' and ${isMarkOf(table, mark, 'b.deleted_at')} and b.restored_at is null
       order by b.deleted_at desc, e.step desc limit 1) b on true
     where ${hasKey(table, 't', '?')} and ${mark} is not null`.replaceAll('(?)', '(?::text)'),
    [table.name, ...table.primaryKey.map(() => key)],
  );
  if (!row) throw RestoreError.neverDeleted(meta.className);
  return row.batch === null ? undefined : row;
}
