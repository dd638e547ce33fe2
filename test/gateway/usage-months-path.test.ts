import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isDataError } from 'tombstone';
import { gatewayRepositories, recordUsage, recordUsages } from 'tombstone/gateway';
import { Migrator } from 'tombstone/migrations';
import { type Gateway, openGateway } from '../support/gateway.ts';
import { mustCreatePayer, type Payer, sumsOf, usageOf } from '../support/gateway-usage.ts';
import { DIVIDED_MODULES, divideUsageLogs, type UsageForm } from '../support/usage-forms.ts';
import { NO_STRAYS, straysOf } from '../support/usage-invariants.ts';

const LOGS = 50_000;

/** Old requests of the payer over four months, each with its line of the ledger; every tenth has no request id. */
const FILL = `with log as (
    insert into usage_logs (user_id, api_key_id, account_id, model, request_id, actual_cost, created_at)
    select ?, ?, ?, 'old', case when n % 10 > 0 then 'old-' || n end, 0.0000000001,
      now() - interval '120 days' * n / ${LOGS}
    from generate_series(1, ${LOGS}) n
    returning id, user_id, api_key_id, actual_cost
  ), charged as (
    insert into billing_usage_entries (usage_log_id, user_id, api_key_id, billing_type, delta_usd)
    select id, user_id, api_key_id, 0, actual_cost from log returning delta_usd
  )
  update users set balance = balance - (select sum(delta_usd) from charged) where id = ? and deleted_at is null`;

let gateway: Gateway;
let payer: Payer;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: 24 } });
  payer = await mustCreatePayer(gateway.em(), '1000');
  await gateway.rows(FILL, [payer.userId, payer.apiKeyId, payer.accountId, payer.userId]);
});
afterAll(() => gateway.close());

const migrator = (): Migrator => new Migrator({ connection: gateway.url, modules: DIVIDED_MODULES });

/** Programs of one form that record, repeat and remove requests until they are stopped; what they did is counted. */
class Programs {
  readonly #form: UsageForm;
  readonly #prefix: string;
  #running = true;
  #next = 0;
  #stored = 0;
  readonly #refused: unknown[] = [];
  readonly #work: Promise<unknown>;

  constructor(form: UsageForm, prefix: string) {
    this.#form = form;
    this.#prefix = prefix;
    this.#work = Promise.all(Array.from({ length: 4 }, () => this.#loop()));
  }

  /** How many logs are there because of them, and what was refused. */
  async stop(): Promise<{ stored: number; refused: unknown[] }> {
    this.#running = false;
    await this.#work;
    return { stored: this.#stored, refused: this.#refused };
  }

  async #loop(): Promise<void> {
    while (this.#running) {
      const n = (this.#next += 1);
      await this.#once(n).catch((error: unknown) => this.#refused.push(error));
      await sleep(1);
    }
  }

  async #once(n: number): Promise<void> {
    const options = { usageLogs: this.#form };
    const request = (id: string) => usageOf(payer, { requestId: id, actualCost: '0.0000000001' });
    const old = request(`old-${1 + (n % 9) + 10 * (n % 4999)}`);
    const fresh = [request(`${this.#prefix}-${n}-a`), request(`${this.#prefix}-${n}-b`)];
    const recorded = await recordUsages(gateway.em(), [...fresh, ...fresh, old], options);
    this.#stored += recorded.filter(({ inserted }) => inserted).length;
    const again = await recordUsage(gateway.em(), fresh[0] ?? old, options);
    expect(again).toMatchObject({ inserted: false, id: recorded[0]?.id });
    if (n % 5 > 0) return;
    await gatewayRepositories(gateway.em(), options).usageLogs.delete(recorded[1]?.id ?? '');
    this.#stored -= 1;
  }
}

/** The logs that are there, each with its claim and its line of the ledger; what was charged is what the ledger has. */
async function expectAll(logs: number): Promise<void> {
  expect(await straysOf(gateway)).toEqual(NO_STRAYS);
  const { logs: found, entries } = await sumsOf(gateway.em(), payer);
  expect([found, entries]).toEqual([String(logs), String(logs)]);
}

describe(`${LOGS} logs on the way from one table to months, and back`, () => {
  let logs = LOGS;

  it('get their claims while old programs store, repeat and remove requests', async () => {
    const old = new Programs('one-table', 'before');
    await sleep(100);
    await divideUsageLogs(gateway.url, '004_validate_usage_logs_bound');
    await sleep(100);
    const { stored, refused } = await old.stop();
    expect(refused).toEqual([]);
    expect(stored).toBeGreaterThan(20);
    logs += stored;
    await expectAll(logs);
  });

  it('become the first month while programs of both forms run: no request is lost or charged twice', async () => {
    const [old, young] = [new Programs('one-table', 'old'), new Programs('monthly-partitions', 'young')];
    await sleep(200);
    await divideUsageLogs(gateway.url);
    await sleep(200);
    const [before, after] = [await old.stop(), await young.stop()];
    // The new programs do not notice; the old ones are told.
    expect(after.refused).toEqual([]);
    expect(before.refused.length).toBeGreaterThan(0);
    expect(before.refused.filter((error) => !isDataError(error, 'USAGE_LOGS_DIVIDED'))).toEqual([]);
    expect(after.stored).toBeGreaterThan(20);
    logs += before.stored + after.stored;
    await expectAll(logs);
    const names = await gateway.rows(
      'select distinct tableoid::regclass::text as name from usage_logs order by 1',
    );
    expect(names).toEqual([{ name: 'usage_logs_history' }]);
  });

  it('are followed by months of their own', async () => {
    const { dashboardAggregation } = gatewayRepositories(gateway.em());
    expect(await dashboardAggregation.ensureUsageLogsPartitions(new Date())).toEqual([]);
    const later = new Date(Date.now() + 70 * 86_400_000);
    const made = await dashboardAggregation.ensureUsageLogsPartitions(later);
    expect(made.length).toBeGreaterThan(0);
    const createdAt = later;
    const recorded = await recordUsage(
      gateway.em(),
      usageOf(payer, { requestId: 'later', createdAt, actualCost: '0.0000000001' }),
      { usageLogs: 'monthly-partitions' },
    );
    const [where] = await gateway.rows<{ name: string }>(
      'select tableoid::regclass::text as name from usage_logs where id = ?',
      [recorded.id],
    );
    expect(made).toContain(where?.name);
    logs += 1;
    await expectAll(logs);
  });

  it('are one table again, with the programs running on, and divided once more', async () => {
    const young = new Programs('monthly-partitions', 'back');
    await sleep(100);
    await migrator().down({ steps: 1 });
    await sleep(100);
    const [kind] = await gateway.rows(`select relkind from pg_class where oid = 'usage_logs'::regclass`);
    expect(kind).toEqual({ relkind: 'r' });
    const back = await young.stop();
    expect(back.refused).toEqual([]);
    logs += back.stored;
    await expectAll(logs);
    const old = await recordUsage(gateway.em(), usageOf(payer, { requestId: 'later' }));
    expect(old.inserted).toBe(false);
    const refused = divideUsageLogs(gateway.url);
    await expect(refused).rejects.toThrow(/dated more than a month ahead/);
    await gateway.rows(`delete from usage_logs where created_at > now() + interval '20 days'`);
    logs -= 1;
    await divideUsageLogs(gateway.url);
    await migrator().down({ steps: 5 });
    expect(await gateway.rows(`select to_regclass('usage_request_ids') as claims`)).toEqual([
      { claims: null },
    ]);
    const sums = await sumsOf(gateway.em(), payer);
    expect([sums.logs, sums.entries]).toEqual([String(logs), String(logs)]);
    await divideUsageLogs(gateway.url);
    await expectAll(logs);
  }, 60_000);
});
