import { expect, it } from '@jest/globals';
import { Client } from 'pg';
import { gateway, gatewayRepositories, OUTBOX_START } from 'tombstone/gateway';
import { Migrator } from 'tombstone/migrations';
import { emptyTestDatabase } from '../support/database.ts';
import { untilSettled } from '../support/gateway-outbox.ts';
import { openGateway } from '../support/gateway.ts';

/** As a program writes it that does not know the column. */
const WRITE = 'insert into scheduler_outbox (event_type, account_id) values ($1, $2) returning id';

it('F19: events from before the migration and of programs that do not know it are read in order', async () => {
  const { url } = await emptyTestDatabase();
  const migrator = new Migrator({ connection: url, modules: [gateway] });
  await migrator.up({ to: '017_create_promo_codes' });
  const old = new Client({ connectionString: url });
  await old.connect();
  const seen = await old.query<{ id: string }>(WRITE, ['account_changed', 1]);
  await old.query(WRITE, ['account_changed', 2]);
  const before = await old.query('select pg_relation_filenode($1) as file', ['scheduler_outbox']);
  await migrator.up();
  // The column came without a rewrite of the table, which the original never pruned.
  const after = await old.query('select pg_relation_filenode($1) as file', ['scheduler_outbox']);
  expect(after.rows).toEqual(before.rows);
  await old.query(WRITE, ['type of tomorrow', 3]);
  await old.end();

  const opened = await openGateway({ url });
  try {
    const { schedulerOutbox } = gatewayRepositories(opened.em());
    await schedulerOutbox.enqueue('account_changed', '4');
    await untilSettled(opened);
    const accounts = async (from: typeof OUTBOX_START): Promise<unknown[]> =>
      (await schedulerOutbox.listAfter(from)).map((event) => event.accountId);
    expect(await accounts(OUTBOX_START)).toEqual(['1', '2', '3', '4']);
    // The watermark of the original was an id.
    expect(await accounts({ txid: '0', id: seen.rows[0]?.id ?? '' })).toEqual(['2', '3', '4']);
  } finally {
    await opened.close();
  }
});
