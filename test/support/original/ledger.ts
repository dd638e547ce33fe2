import type { Client } from 'pg';
import { gatewayAdoption } from '../../../src/gateway/adoption/gateway-adoption.ts';

const LEDGER = `create table public.schema_migrations (filename text primary key, checksum text not null,
  applied_at timestamptz not null default now())`;

const ATLAS = `create table public.atlas_schema_revisions (version text primary key, description text not null,
  type integer not null, applied integer not null default 0, total integer not null default 0,
  executed_at timestamptz not null default now(), execution_time bigint not null default 0, error text, error_stmt text,
  hash text not null default '', partial_hashes text[], operator_version text)`;

/** The files up to a number, as the original records them; what was renamed or withdrawn is not among them. */
export function filesUpTo(at: number): { name: string; checksum: string }[] {
  return gatewayAdoption.known
    .filter(
      ({ name, isOptional }) => Number(name.slice(0, 3)) <= at && (!isOptional || name.startsWith('044')),
    )
    .map(({ name, checksums }) => ({ name, checksum: checksums[0] ?? '' }));
}

/** Both ledgers: the runner's own, and the one row that names the last file of all before the first one has run. */
export async function createLedgers(client: Client, at: number): Promise<void> {
  await client.query(LEDGER);
  await client.query(ATLAS);
  const last = filesUpTo(41).at(-1);
  const version = last?.name.replace(/\.sql$/, '');
  await client.query(
    `insert into public.atlas_schema_revisions (version, description, type, hash) values ($1, $1, 1, $2)`,
    [version, last?.checksum],
  );
  for (const { name, checksum } of filesUpTo(at)) await recordFile(client, name, checksum);
}

/** A row of the runner's ledger. */
export async function recordFile(client: Client, name: string, checksum: string): Promise<void> {
  await client.query('insert into public.schema_migrations (filename, checksum) values ($1, $2)', [
    name,
    checksum,
  ]);
}
