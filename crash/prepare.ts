import { Client } from 'pg';

/**
 * What the twelve files need, and the two fuses of a full disk: 53100 when the nth DDL statement ends, or when an index
 * build reaches its nth row. Sequences, because a rollback does not take them back: a fuse blows once.
 */
const SQL = `
create schema crash;
create sequence crash.ddl;
create sequence crash.build;
create table crash.fuses (ddl bigint, build bigint);
insert into crash.fuses values (null, null);
create function crash.blow(counter regclass, at bigint) returns void language plpgsql as $$
begin
  if at is not null and nextval(counter) = at then
    raise exception 'could not extend file: no space left on device' using errcode = '53100';
  end if;
end $$;
create function crash.weight(value int) returns int immutable language plpgsql as $$
begin
  perform pg_catalog.pg_sleep(0.0001);
  perform crash.blow('crash.build', (select build from crash.fuses));
  return value;
end $$;
create function crash.on_ddl() returns event_trigger language plpgsql as $$
begin
  perform crash.blow('crash.ddl', (select ddl from crash.fuses));
end $$;
create event trigger crash_fuse on ddl_command_end execute function crash.on_ddl();
`;

/** Fills an empty database with what the files and the faults need. */
export async function prepareDatabase(url: string): Promise<void> {
  await withClient(url, (client) => client.query(SQL));
}

/** Works with a connection of its own. */
export async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, application_name: 'crash' });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
