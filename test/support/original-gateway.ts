import type { Client } from 'pg';
import { CORE_TABLES } from './original/core-tables.ts';
import { asGorm, type Uniques, withOldCacheColumns } from './original/gorm-tables.ts';
import { createLedgers, recordFile } from './original/ledger.ts';
import { FOREIGN_TABLES, OTHER_TABLES } from './original/other-tables.ts';
import { type OriginalSize, fillOriginal } from './original/fill.ts';
import { partitionedLogs } from './original/partitioned-logs.ts';
import { LATER_SORA_TABLES, SORA_TABLES } from './original/sora-tables.ts';
import { createKeys, createParents, createTable, type OriginalTable, tableAt } from './original/table.ts';
import { USAGE_TABLES } from './original/usage-tables.ts';

/** How the original left a database. */
export interface OriginalShape {
  /** Number of the last of its files that ran: 41 for all. */
  readonly at: number;
  readonly hasLedger: boolean;
  /** Made by GORM's auto-migration, with these of its uniques. */
  readonly gorm?: Uniques;
  readonly hasOldCacheColumns?: boolean;
  /** `usage_logs` divided by month, by hand. */
  readonly isDivided?: boolean;
  readonly sora?: 'original' | 'later';
}

/** All 43 files: section 2 of the specification exactly (state B). */
export const COMPLETE: OriginalShape = { at: 41, hasLedger: true };
/** Before the file that made the table of allowed groups: phase 0 (state C). */
export const PHASE_ZERO: OriginalShape = { at: 6, hasLedger: true };
/** Behind that file, and before the one that drops the array: phase 1 (state C). */
export const PHASE_ONE: OriginalShape = { at: 13, hasLedger: true };
/** Made by GORM before there were files (state D). */
export const LEGACY: OriginalShape = { at: 6, hasLedger: false, gorm: 'gorm' };
/** The same, after a file that dropped two uniques by name. */
export const LEGACY_LOST: OriginalShape = { at: 12, hasLedger: false, gorm: 'lost' };
export const WITH_SORA: OriginalShape = { at: 44, hasLedger: true, sora: 'original' };

/** Makes the tables in an empty database; with a size, rows are stored before the keys and indexes are built. */
export async function createOriginal(
  client: Client,
  shape: OriginalShape = COMPLETE,
  size?: OriginalSize,
): Promise<void> {
  const tables = tablesOf(shape);
  await client.query("begin; set local maintenance_work_mem = '256MB'");
  for (const each of tables) {
    await client.query(isDivided(each, shape) ? partitionedLogs(each) : createTable(each));
  }
  if (shape.at >= 34) await client.query('insert into usage_dashboard_aggregation_watermark (id) values (1)');
  if (size) await fillOriginal(client, size, shape);
  for (const each of tables) await createRest(client, each, shape);
  // The original says so, and it is not true.
  await client.query(`comment on column public.accounts.credentials is 'encrypted'`);
  if (shape.hasLedger) await createLedgers(client, shape.at);
  await client.query('commit');
  if (size) await client.query('analyze');
}

/** The tables of a shape, each behind those that it refers to. */
export function tablesOf(shape: OriginalShape): OriginalTable[] {
  const sora = { original: SORA_TABLES, later: LATER_SORA_TABLES, none: [] }[shape.sora ?? 'none'];
  return [...CORE_TABLES, ...USAGE_TABLES, ...OTHER_TABLES, ...FOREIGN_TABLES, ...sora]
    .filter(({ since }) => since <= shape.at)
    .map((whole) => {
      const own = tableAt(whole, shape.at);
      const renamed = shape.hasOldCacheColumns ? withOldCacheColumns(own) : own;
      return shape.gorm ? asGorm(renamed, shape.gorm) : renamed;
    });
}

const isDivided = ({ name }: OriginalTable, shape: OriginalShape): boolean =>
  name === 'usage_logs' && shape.isDivided === true;

/** A divided table has no unique over its rows alone, and so nothing refers to it. */
async function createRest(client: Client, each: OriginalTable, shape: OriginalShape): Promise<void> {
  const isWhole = !shape.isDivided;
  const indexes =
    isWhole || each.name !== 'usage_logs'
      ? each.indexes
      : each.indexes.filter(({ text }) => !text.startsWith('UNIQUE'));
  const parents = isWhole ? each.parents : each.parents.filter(({ text }) => !text.startsWith('usage_logs'));
  for (const sql of createKeys({ ...each, indexes })) await client.query(sql);
  for (const sql of createParents({ ...each, parents })) await client.query(sql);
}

/** A version of the original that has files which nobody here knows (state E). */
export async function createNewer(client: Client, size?: OriginalSize): Promise<void> {
  await createOriginal(client, COMPLETE, size);
  await client.query(
    'create table public.payment_orders (id bigserial primary key, user_id bigint not null)',
  );
  await recordFile(client, '045_add_payment_orders.sql', 'a'.repeat(64));
  await recordFile(client, '046_add_order_index_notx.sql', 'b'.repeat(64));
}

/** A known file with a text that was never published (state X). */
export async function createChanged(client: Client, size?: OriginalSize): Promise<void> {
  await createOriginal(client, COMPLETE, size);
  await client.query(`update public.schema_migrations set checksum = $1 where filename = '001_init.sql'`, [
    'c'.repeat(64),
  ]);
}
