import { describe, expect, it } from '@jest/globals';
import { type Adopted, adoptDatabase, type AdoptOptions } from 'tombstone/migrations';
import {
  flyway,
  flywayRows,
  golangMigrate,
  golangVersion,
  goose,
  gooseUp,
} from './fixtures/foreign-ledgers.ts';
import { refusal, setup, type Setup } from './fixtures/shop.ts';

const FILES = {
  '001_items.sql': '-- +goose Up\ncreate table items (id int primary key, name text);\n',
  '002_index.sql': '-- +goose Up\ncreate index items_name on items (name);\ncreate table old (id int);\n',
  '003_rows.sql': "-- +goose Up\ninsert into items values (1, 'first');\n",
  '004_drop.sql': '-- +goose Up\ndrop table old;\n',
};
const SCHEMA =
  'create table items (id int primary key, name text); create index items_name on items (name); create table old (id int);';
const MIKRO_ORM = `create table mikro_orm_migrations (id serial primary key, name varchar(255), executed_at timestamptz default current_timestamp);
  insert into mikro_orm_migrations (name) values ('001_items'), ('002_index'), ('003_rows');`;

const LEDGERS = {
  goose: goose() + gooseUp(1, 2, 3),
  'golang-migrate': golangMigrate() + golangVersion(3),
  flyway: flyway() + flywayRows(['1', 'items', 'SQL'], ['2', 'index', 'SQL'], ['3', 'rows', 'SQL']),
  'mikro-orm': MIKRO_ORM,
};

async function madeBy(sql: string): Promise<Setup> {
  const made = await setup(FILES);
  await made.client.query(sql);
  return made;
}

const adopt = ({ url, folder }: Setup, options: Partial<AdoptOptions> = {}): Promise<Adopted> =>
  adoptDatabase({ connection: url, modules: [folder], ...options });

describe('a database with the ledger of another tool', () => {
  it.each(Object.entries(LEDGERS))('of %s goes on with ours', async (tool, ledger) => {
    const made = await madeBy(SCHEMA + ledger);
    const table = (
      await made.client.query<{ name: string }>(
        `select relname as name from pg_class where relkind = 'r' and relname ~ 'migrations|version|history'`,
      )
    ).rows[0]?.name;
    const rows = await made.client.query(`select * from ${table}`);
    const { plan } = await adopt(made);
    expect([plan.state, plan.blockers]).toEqual(['foreign', []]);
    await adopt(made, { apply: true });
    expect(await made.names()).toEqual(['shop/001_items.sql', 'shop/002_index.sql', 'shop/003_rows.sql']);
    // Nothing was run again.
    expect((await made.client.query('select from items')).rowCount).toBe(0);
    const kept = tool === 'golang-migrate' ? 'schema_migrations_golang_migrate' : table;
    expect((await made.client.query(`select * from ${kept}`)).rows).toEqual(rows.rows);
    expect((await adopt(made)).plan.state).toBe('ours');
    await made.migrator().up();
    expect(await made.names()).toHaveLength(4);
  });

  it.each(Object.entries(LEDGERS))('of %s is refused when something is not there', async (_tool, ledger) => {
    for (const [lack, object] of [
      ['drop index items_name', 'index public.items_name'],
      ['alter table items alter name type varchar(10)', 'column public.items.name'],
      ['drop table old', 'table public.old'],
    ] as const) {
      const made = await madeBy(`${SCHEMA}${ledger};${lack}`);
      const tables = await made.tables();
      const error = await refusal(adopt(made, { apply: true }));
      expect([error.code, error.message]).toEqual(['MIGRATION.ADOPTION', expect.stringContaining(object)]);
      expect(await made.tables()).toEqual(tables);
    }
  });

  it('whose renaming is all that was done goes on', async () => {
    const made = await madeBy(SCHEMA + LEDGERS['golang-migrate']);
    const onProgress: AdoptOptions['onProgress'] = (event) => {
      if (event.type === 'adoption-step' && event.index === 1) throw new Error('the program ends here');
    };
    await expect(adopt(made, { apply: true, onProgress })).rejects.toThrow('the program ends here');
    const aside = `select to_regclass('schema_migrations_golang_migrate') is not null as done`;
    expect((await made.client.query(aside)).rows).toEqual([{ done: true }]);
    const { plan } = await adopt(made, { apply: true });
    expect([plan.state, await made.names()]).toEqual([
      'begun',
      ['shop/001_items.sql', 'shop/002_index.sql', 'shop/003_rows.sql'],
    ]);
  });

  it('tells gaps and what has no file', async () => {
    const made = await madeBy(
      `create table items (id int primary key, name text); ${goose()}${gooseUp(1, 3, 9)}`,
    );
    const { plan } = await adopt(made);
    expect(plan.blockers).toEqual([]);
    expect(plan.warnings.join(' ')).toMatch(/shop\/002_index\.sql lies below an applied file.*version 9/);
  });
});
