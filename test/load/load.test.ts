import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import type { Evidence } from '../../load/evidence.ts';
import { readArguments } from '../../load/options.ts';
import type { LoadReport } from '../../load/report.ts';
import { reportOf } from '../../load/report.ts';
import { type LoadRun, runLoad } from '../../load/run.ts';
import type { Seen } from '../../load/sightings.ts';
import { APPLICATION } from '../../load/worker-process.ts';
import { type Ended, ROOT, run } from '../support/command.ts';
import { emptyTestDatabase } from '../support/database.ts';

/** On a server that it starts itself. */
const load = (...args: string[]): Promise<Ended> =>
  run(['--import', './tools/from-sources.js', 'load/main.ts', ...args]);

const OPTIONS = { seconds: 2, callers: 12, processes: 2, connections: 12, seed: 7, quick: true };

/** The checks by name: whether each holds. */
async function verdicts({ invariants }: LoadRun, evidence: Evidence): Promise<Record<string, boolean>> {
  const entries: [string, boolean][] = [];
  for (const { name, check } of invariants) entries.push([name, (await check(evidence)).holds]);
  return Object.fromEntries(entries);
}

describe('npm run load', () => {
  it('serves requests without an error, and every invariant holds', async () => {
    const { code, out, err } = await load('--seconds', '3', '--quick', '--json');
    expect(err).toBe('');
    const report = JSON.parse(out) as LoadReport;
    expect(report.invariants.filter(({ holds }) => !holds)).toEqual([]);
    expect(report.invariants).toHaveLength(12);
    expect(report).toMatchObject({
      errors: 0,
      messages: [],
      holds: true,
      callers: 32,
      processes: 2,
      seconds: 3,
    });
    expect(report.throughput).toBeGreaterThan(0);
    expect(report.p50).toBeGreaterThan(0);
    expect(report.p99).toBeGreaterThanOrEqual(report.p50);
    for (const name of ['getByKeyForAuth', 'listSchedulableByGroupId', 'recordUsage', 'aggregateNewLogs'])
      expect([name, report.operations[name]?.count]).toEqual([name, expect.any(Number)]);
    expect(code).toBe(0);
  }, 120_000);

  it.each([
    [['--seconds', '0'], '--seconds needs a whole number from 1 to 900.'],
    [['--seconds', '1e2'], '--seconds needs'],
    [['--callers', 'many'], '--callers needs a whole number from 1 to 256.'],
    [['--callers', '2', '--processes', '3'], '--callers needs to be at least --processes.'],
    [['--connections', '1'], '--connections needs a whole number from 2 to 256.'],
    [['--seed', '-1'], '--seed'],
    [['--other'], "Unknown option '--other'"],
    [['fast'], "Unexpected argument 'fast'"],
  ])('refuses %p with a sentence', (args, sentence) => {
    expect(() => readArguments(args)).toThrow(sentence);
  });

  it('ends with exit code 2 for what it refuses', async () => {
    const { code, out, err } = await load('--seconds', '0');
    expect({ code, out, err }).toEqual({
      code: 2,
      out: '',
      err: '--seconds needs a whole number from 1 to 900. Correct it, or leave it out.\n',
    });
  });

  it('shows its options', async () => {
    const { code, out } = await load('--help');
    expect(code).toBe(0);
    expect(out).toContain('--processes');
  });
});

describe('the invariants after a run', () => {
  let url = '';
  let ended: LoadRun;
  let client: Client;
  beforeAll(async () => {
    ({ url } = await emptyTestDatabase());
    ended = await runLoad(url, OPTIONS);
    client = new Client({ connectionString: url });
    await client.connect();
  }, 120_000);
  afterAll(async () => {
    await client.end();
    await ended.close();
  });

  /** The evidence, asked by the connection whose transaction holds the damage. */
  const disturbed = (changes: Partial<Evidence> = {}): Evidence => ({
    ...ended.evidence,
    rows: async <T extends object>(sql: string, values: readonly unknown[] = []) =>
      (await client.query<T>(sql, [...values])).rows,
    ...changes,
  });

  it('are those of the page', () => {
    const page = readFileSync(join(ROOT, 'docs/load.md'), 'utf8');
    const named = [...page.matchAll(/^\| ([a-z ]+?) +\|/gm)].map(([, name]) => name);
    expect(named).toEqual(expect.arrayContaining(ended.invariants.map(({ name }) => name)));
  });

  it('hold', async () => {
    expect(Object.values(await verdicts(ended, ended.evidence))).toEqual(Array(12).fill(true));
  });

  const own = '(select max(id) from usage_logs)';
  const paid = '(select max(usage_log_id) from billing_usage_entries where applied and billing_type = 0)';
  const subscribed = `(select max(subscription_id) from billing_usage_entries where applied and billing_type = 1)`;
  const event = '(select max(id) from scheduler_outbox)';
  const heard = `(select ctid from load.heard order by place desc limit 1)`;

  it.each([
    [
      'a balance that has a unit of the tenth decimal less',
      'balances',
      `update users set balance = balance - 0.0000000001 where id = (select min(id) from users)`,
    ],
    [
      'a line of the ledger that says more',
      'balances',
      `update billing_usage_entries set delta_usd = delta_usd + 0.0000000001 where usage_log_id = ${paid}`,
    ],
    [
      'a charge of a deleted user',
      'balances',
      `update users set balance = balance - 1 where id = (select min(id) from users where deleted_at is not null)`,
    ],
    [
      'a week that counts a unit more',
      'subscription counters',
      `update user_subscriptions set weekly_usage_usd = weekly_usage_usd + 0.0000000001 where id = ${subscribed}`,
    ],
    [
      'a month that counts a unit less',
      'subscription counters',
      `update user_subscriptions set monthly_usage_usd = monthly_usage_usd - 0.0000000001 where id = ${subscribed}`,
    ],
    [
      'a day that counts a unit more',
      'subscription windows',
      `update user_subscriptions set daily_usage_usd = daily_usage_usd + 0.0000000001 where id = ${subscribed}`,
    ],
    [
      'a log that nobody asked for',
      'one log per request',
      `insert into usage_logs (user_id, api_key_id, account_id, request_id, model) select user_id, api_key_id, account_id, 'stray', model from usage_logs where id = ${own}`,
    ],
    ['a log that is gone', 'one log per request', `delete from usage_logs where id = ${own}`],
    [
      'a second log of a request',
      'one log per request',
      `drop index idx_usage_logs_request_id_api_key_unique; insert into usage_logs (user_id, api_key_id, account_id, request_id, model) select user_id, api_key_id, account_id, request_id, model from usage_logs where id = ${own}`,
    ],
    [
      'a repeated request that was told to be new',
      'one log per request',
      `update load.charges set inserted = true where not inserted`,
    ],
    [
      'a repeated request that was told another log',
      'one log per request',
      `update load.charges set log_id = log_id + 1 where not inserted`,
    ],
    [
      'an answer about a log that is gone',
      'answers are borne out',
      `delete from usage_logs where id = ${own}`,
    ],
    [
      'an answer that says less than the ledger',
      'answers are borne out',
      `update load.charges set amount = amount - 0.0000000001 where log_id = ${paid}`,
    ],
    [
      'an answer that nobody was charged',
      'answers are borne out',
      `update load.charges set applied = false where log_id = ${paid}`,
    ],
    [
      'a log without its line',
      'ledger and logs',
      `delete from billing_usage_entries where usage_log_id = ${paid}`,
    ],
    [
      'a line with another amount',
      'ledger and logs',
      `update billing_usage_entries set delta_usd = delta_usd - 0.0000000001 where usage_log_id = ${paid}`,
    ],
    [
      'a line of a log that cost nothing',
      'ledger and logs',
      `update usage_logs set actual_cost = 0 where id = ${paid}`,
    ],
    [
      'an event that no reader saw',
      'outbox',
      `insert into scheduler_outbox (event_type) values ('full_rebuild')`,
    ],
    ['an event that one reader did not see', 'outbox', `delete from load.heard where ctid = ${heard}`],
    [
      'an event that was seen twice',
      'outbox',
      `insert into load.heard select consumer, place + 1, txid, event_id from load.heard where ctid = ${heard}`,
    ],
    ['an event that was seen too late', 'outbox', `update load.heard set place = 1000000 where place = 1`],
    ['an event that was pruned unseen', 'outbox', `update load.pruned set events = events + 1`],
    [
      'an event that was taken back and is there',
      'outbox',
      `update scheduler_outbox set payload = '{"takenBack": true}' where id = ${event}`,
    ],
    [
      'an hour that counts a request more',
      'aggregates',
      `update usage_dashboard_hourly set total_requests = total_requests + 1 where bucket_start = (select max(bucket_start) from usage_dashboard_hourly)`,
    ],
    [
      'a day that costs a unit less',
      'aggregates',
      `update usage_dashboard_daily set actual_cost = actual_cost - 0.0000000001 where bucket_date = (select max(bucket_date) from usage_dashboard_daily)`,
    ],
    [
      'a day that is missing',
      'aggregates',
      `delete from usage_dashboard_daily where bucket_date = (select max(bucket_date) from usage_dashboard_daily)`,
    ],
  ])('notice %s', async (_what, invariant, damage) => {
    await client.query('begin');
    try {
      const results = await client.query(damage);
      // Damage that changed nothing would prove nothing.
      expect([results].flat().at(-1)?.rowCount).toBeGreaterThan(0);
      expect((await verdicts(ended, disturbed()))[invariant]).toBe(false);
    } finally {
      await client.query('rollback');
    }
  });

  it('notice counters that follow from no order of charges and resets', async () => {
    const told = ended.evidence.told.map((one) => ({ ...one, resets: new Map() }));
    expect((await verdicts(ended, disturbed({ told })))['subscription windows']).toBe(false);
    const cheaper = ended.evidence.told.map((one) => ({
      ...one,
      charges: one.charges.map((charge) => ({
        ...charge,
        amount: charge.subscription ? '0.0000000001' : null,
      })),
    }));
    expect((await verdicts(ended, disturbed({ told: cheaper })))['subscription windows']).toBe(false);
  });

  /** Sightings with one more: of the first deleted key, by a call that began so long after the answer. */
  const seenAgain = (later: number): Seen[] => {
    const deletion = ended.evidence.seen.flatMap(({ deletions }) => deletions)[0];
    if (!deletion) throw new Error('nothing was deleted in the run');
    const [first, ...others] = ended.evidence.seen as [Seen, ...Seen[]];
    const ofKind = new Map([...first.lastSeen[deletion.kind], [deletion.id, deletion.told + later]]);
    return [{ ...first, lastSeen: { ...first.lastSeen, [deletion.kind]: ofKind } }, ...others];
  };

  it('notice a deleted row that came back, and not one that was read while it was deleted', async () => {
    expect((await verdicts(ended, disturbed({ seen: seenAgain(0.001) })))['dead rows']).toBe(false);
    expect((await verdicts(ended, disturbed({ seen: seenAgain(-0.001) })))['dead rows']).toBe(true);
  });

  it('notice a key that was refused before anybody deleted it', async () => {
    const [first, ...others] = ended.evidence.seen as [Seen, ...Seen[]];
    const live = [...first.lastSeen.apiKey.keys()].at(-1) ?? '';
    const seen = [{ ...first, firstRefused: new Map([...first.firstRefused, [live, 1]]) }, ...others];
    expect((await verdicts(ended, disturbed({ seen })))['live keys']).toBe(false);
  });

  it('notice a session that is left open', async () => {
    const left = new Client({ connectionString: url, application_name: APPLICATION });
    await left.connect();
    await left.query('begin');
    expect((await verdicts(ended, disturbed())).sessions).toBe(false);
    await left.end();
  });

  it('do not hold where nothing was seen that they could have failed of', async () => {
    await client.query('begin');
    await client.query(`delete from usage_logs; delete from load.charges; delete from load.heard; delete from load.top_ups;
      delete from scheduler_outbox; update load.pruned set events = 0; delete from usage_dashboard_hourly; delete from usage_dashboard_daily;
      delete from load.balances; insert into load.balances select id, balance from users /* soft-delete: all rows, as at the start */`);
    const seen = ended.evidence.seen.map((one) => ({
      ...one,
      deletions: [],
      firstRefused: new Map(),
      counts: [],
    }));
    const told = ended.evidence.told.map((one) => ({ ...one, charges: [], resets: new Map() }));
    const { sessions, ...others } = await verdicts(ended, disturbed({ seen, told }));
    await client.query('rollback');
    expect(sessions).toBe(true);
    expect(Object.values(others)).toEqual(Array(11).fill(false));
  });
});

describe('a run that somebody disturbs', () => {
  it('sees deleted keys that are brought back, and counts the calls whose session was ended', async () => {
    const { url } = await emptyTestDatabase();
    const client = new Client({ connectionString: url });
    await client.connect();
    const over = new AbortController();
    const disturb = async (): Promise<void> => {
      while (!over.signal.aborted) {
        await client.query('select pg_sleep(0.2)');
        if (over.signal.aborted) break;
        // What a guard that is off would show, and what an administrator may do.
        await client
          .query('update api_keys set deleted_at = null where deleted_at is not null')
          .catch(() => undefined);
        await client.query(
          `select pg_terminate_backend(pid) from pg_stat_activity where application_name = '${APPLICATION}' and datname = current_database() and state = 'active' limit 2`,
        );
      }
    };
    let disturbing: Promise<void> | undefined;
    const progress = (stage: string): void => {
      // Not before: a process that cannot begin ends, and the run with it.
      if (stage === 'warming up') disturbing ??= disturb();
      if (stage === 'checking') over.abort();
    };
    const disturbedRun = await runLoad(url, OPTIONS, { progress }).finally(() => over.abort());
    await disturbing;
    await client.end();
    await disturbedRun.close();
    const report = reportOf(disturbedRun, OPTIONS, 'test');
    expect(report.invariants.find(({ name }) => name === 'dead rows')).toMatchObject({ holds: false });
    expect(report.errors).toBeGreaterThan(0);
    expect(report.messages.length).toBeGreaterThan(0);
    expect(report.holds).toBe(false);
  }, 120_000);

  it('ends with a sentence when it is interrupted, and leaves no session', async () => {
    const { url } = await emptyTestDatabase();
    const interruption = new AbortController();
    const progress = (stage: string): void => {
      if (stage === 'measuring') interruption.abort();
    };
    await expect(runLoad(url, OPTIONS, { progress, signal: interruption.signal })).rejects.toThrow(
      /^A process of callers ended before its time \(SIGKILL\)/,
    );
    const client = new Client({ connectionString: url });
    await client.connect();
    const sessions = `select 1 from pg_stat_activity where application_name = '${APPLICATION}' and datname = current_database()`;
    while ((await client.query(sessions)).rowCount) await client.query('select pg_sleep(0.05)');
    await client.end();
  }, 120_000);
});
