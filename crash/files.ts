import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MigrationSource } from 'tombstone/migrations';

/** A line of the audit table for each step, which has no key: what is applied twice stands there twice. */
const audit = (step: string): string => `insert into audit values ('${step}');`;
const pause = 'select pg_sleep(0.01);';
const whole = (step: string, ...sql: string[]): string =>
  ['-- +goose Up', audit(step), ...sql, pause].join('\n');
const single = (...sql: string[]): string => ['-- +goose NO TRANSACTION', '-- +goose Up', ...sql].join('\n');

/** Twelve files of every kind that the engine treats in a way of its own. `crash.weight` makes index builds slow. */
const FILES: Readonly<Record<string, string>> = {
  '001_tables.sql': [
    '-- +goose Up',
    'create table audit (step text not null);',
    'create table items (id int primary key, name text not null, owner int not null);',
    audit('001'),
    pause,
  ].join('\n'),
  '002_rows.sql': whole(
    '002',
    "insert into items select n, 'item ' || n, n % 7 from generate_series(1, 400) n;",
  ),
  '003_column.sql': whole('003', 'alter table items add column price numeric not null default 0;'),
  '004_index.sql': single(
    audit('004 a'),
    'create index concurrently if not exists items_weight on items (crash.weight(id));',
    audit('004 b'),
    'update items set price = price + 1;',
  ),
  '005_function.sql': whole(
    '005',
    "create function touch() returns trigger language plpgsql as $$ begin new.name := new.name || ';'; return new; end $$;",
    'create trigger items_touch before insert on items for each row execute function touch();',
  ),
  '006_type.sql': whole('006', "create type mood as enum ('calm');", 'alter table items add mood mood;'),
  '007_values.sql': single(
    "alter type mood add value 'merry';",
    audit('007 a'),
    'vacuum items;',
    "update items set mood = 'merry' where owner = 1;",
    'create unique index concurrently items_name on items (name, crash.weight(owner));',
    audit('007 b'),
  ),
  '008_block.sql': whole(
    '008',
    "do $$ begin for n in 1..3 loop insert into items values (1000 + n, 'late ' || n, n, 5, 'calm'); end loop; end $$;",
  ),
  '009_rebuild.sql': single(
    'set lock_timeout to 0;',
    audit('009 a'),
    'reindex table concurrently items;',
    'drop index concurrently items_weight;',
    audit('009 b'),
  ),
  '010_parts.sql': whole(
    '010',
    'create table parts (id int not null) partition by range (id);',
    'create table parts_1 partition of parts for values from (0) to (10);',
    'create table parts_2 partition of parts for values from (10) to (20);',
    'insert into parts select generate_series(0, 19);',
  ),
  '011_detach.sql': single(
    'begin;',
    audit('011 a'),
    'update items set price = price + 1;',
    'commit;',
    'alter table parts detach partition parts_1 concurrently;',
    audit('011 b'),
  ),
  '012_last.sql': whole('012', 'alter table items alter column price drop default;'),
};

/** How many files a whole run applies. */
export const FILE_COUNT = Object.keys(FILES).length;

/** A module with the twelve files in a temporary folder. */
export function writeFiles(): MigrationSource & { delete(): void } {
  const root = mkdtempSync(join(tmpdir(), 'tombstone-crash-'));
  const migrations = join(root, 'crash');
  mkdirSync(migrations);
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(migrations, name), `${text}\n`);
  return { name: 'crash', migrations, delete: () => rmSync(root, { recursive: true, force: true }) };
}
