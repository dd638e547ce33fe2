import { describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { agrees, examine } from '../../crash/examine.ts';
import { writeFiles } from '../../crash/files.ts';
import { prepareDatabase } from '../../crash/prepare.ts';
import { Migrator } from 'tombstone/migrations';
import { run } from '../support/command.ts';
import { emptyTestDatabase } from '../support/database.ts';

const crash = (...args: string[]): ReturnType<typeof run> =>
  run(['--import', './tools/from-sources.js', 'crash/main.ts', ...args]);

describe('the crash suite', () => {
  it('interrupts runs in each of its ways, and every next run completes', async () => {
    const { code, out, err } = await crash('migrations', '--trials', '6', '--seed', '11', '--json');
    expect({ code, out, err }).toEqual({
      code: 0,
      out: '{"trials": 6, "completed": 6, "ledgerAgrees": 6, "appliedTwice": 0}\n',
      err: '',
    });
  }, 240_000);

  it('refuses arguments that it does not know', async () => {
    for (const args of [[], ['migrations', '--trials', '0'], ['other']])
      expect((await crash(...args)).code).toBe(1);
  });

  it('notices what a crash could have left', async () => {
    const { url } = await emptyTestDatabase();
    await prepareDatabase(url);
    const module = writeFiles();
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      await new Migrator({ connection: url, modules: [module] }).up();
      const whole = await examine(client);
      expect([agrees(whole, await examine(client)), whole.twice, whole.ledger.length]).toEqual([
        true,
        [],
        12,
      ]);
      for (const damage of [
        `update pg_index set indisvalid = false where indexrelid = 'items_name'::regclass`,
        `delete from schema_migrations where filename like '%012%'`,
        `insert into schema_migrations_journal values ('crash/004_index.sql', 'up', 1, 'x')`,
        'update items set price = price + 1 where id = 1',
        'create table stray (id int)',
      ]) {
        await client.query('begin');
        await client.query(damage);
        expect([damage, agrees(await examine(client), whole)]).toEqual([damage, false]);
        await client.query('rollback');
      }
      await client.query(`insert into audit values ('003')`);
      expect((await examine(client)).twice).toEqual(['003']);
    } finally {
      await client.end();
      module.delete();
    }
  });
});
