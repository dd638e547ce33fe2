import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import { insertLogs, mustCreateUsageWorld, type UsageWorld } from '../support/gateway-usage-logs.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

const LOGS = 120;

let gateway: Gateway;
let world: UsageWorld;
let users: string[];
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: 8 } });
  world = await mustCreateUsageWorld(gateway.em());
  const made = await gateway.rows<{ id: string }>(
    `insert into users (email, password_hash) select 'u' || n, 'h' from generate_series(1, ${LOGS}) n returning id`,
  );
  users = made.map(({ id }) => id);
});
afterAll(() => gateway.close());

const repositories = (): GatewayRepositories => gatewayRepositories(gateway.em(), { timeZone: 'UTC' });

/** A log of each user, in a transaction of its own, and what `after` does then; meanwhile `look` looks again and again. */
async function whileWriting(after: () => Promise<unknown>, look: () => Promise<void>): Promise<number> {
  await gateway.rows('truncate usage_logs, billing_usage_entries');
  let looks = 0;
  const written = new AbortController();
  const looking = Array.from({ length: 3 }, async () => {
    for (; !written.signal.aborted; looks += 1) await look();
  });
  try {
    for (const [n, user] of users.entries()) {
      await insertLogs(gateway.em(), { ...world, user_id: user }, [
        { model: `model ${n % 7}`, input_tokens: 3, total_cost: '0.1', actual_cost: '0.2' },
      ]);
      await after();
    }
  } finally {
    written.abort();
  }
  await Promise.all(looking);
  return looks;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

it('days, summary and models of an account are of the same logs while others are written', async () => {
  const range = { start: new Date(Date.now() - 86_400_000), end: new Date(Date.now() + 86_400_000) };
  const looks = await whileWriting(
    async () => undefined,
    async () => {
      const found = await repositories().usageReports.getAccountUsageStats(world.account_id, range);
      const { totalRequests, totalTokens } = found.summary;
      expect({
        days: sum(found.history.map(({ requests }) => requests)),
        models: sum(found.models.map(({ requests }) => requests)),
        tokens: sum(found.models.map((model) => model.totalTokens)),
      }).toEqual({ days: totalRequests, models: totalRequests, tokens: totalTokens });
    },
  );
  expect(looks).toBeGreaterThan(20);
});

it('a dashboard never says that it is fresher than its totals, nor has other users than requests', async () => {
  const looks = await whileWriting(
    () => repositories().dashboardAggregation.aggregateNewLogs(),
    async () => {
      const found = await repositories().usageReports.getDashboardStats();
      // Each user has one log.
      expect(found.activeUsers).toBe(found.today.requests);
    },
  );
  expect(looks).toBeGreaterThan(20);
});
