/** A version of a service that is running, as its heartbeats say. */
export interface RunningCode {
  readonly service: string;
  readonly version: string;
  readonly instances: number;
}

const TABLE = 'public.schema_migration_code_versions';

/** One row an instance; who does not send its heartbeat in time is taken for ended. */
export const CREATE_VERSIONS = `create table if not exists ${TABLE} (
  service text not null,
  instance uuid not null,
  version text not null,
  registered_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  primary key (service, instance)
)`;
export const HAS_VERSIONS = `select to_regclass('${TABLE}') is not null as found`;

/** One line per service and version that is alive now. */
export const READ_VERSIONS = `select service, version, count(*)::int as instances from ${TABLE}
  where expires_at > clock_timestamp() group by service, version order by service, version`;

/** Values are checked before: nothing in them needs quoting, so the text fits every way to run SQL. */
export interface Beat {
  readonly service: string;
  readonly instance: string;
  readonly version: string;
  readonly ttlMs: number;
}

export function beatSql({ service, instance, version, ttlMs }: Beat): string {
  return `insert into ${TABLE} (service, instance, version, expires_at)
    values ('${service}', '${instance}', '${version}', clock_timestamp() + interval '${ttlMs} milliseconds')
    on conflict (service, instance) do update set version = excluded.version, expires_at = excluded.expires_at`;
}

/** Takes the instance out, and what is long gone with it. */
export function leaveSql({ service, instance }: Pick<Beat, 'service' | 'instance'>): string {
  return `delete from ${TABLE} where (service = '${service}' and instance = '${instance}')
    or expires_at < clock_timestamp() - interval '1 day'`;
}
