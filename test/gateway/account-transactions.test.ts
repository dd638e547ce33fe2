import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories, OUTBOX_START } from 'tombstone/gateway';
import { type Gateway, mustCreateGroup, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: 1 } });
});
afterAll(() => gateway.close());

type Calls<T> = Readonly<Record<keyof T, () => Promise<unknown>>>;
const LATER = new Date('2031-01-01T00:00:00Z');

// One entry per method, so that a method without one does not compile; the last one deletes what the others use.
const callsOfAccounts = (
  accounts: GatewayRepositories['accounts'],
  id: string,
  group: string,
): Calls<GatewayRepositories['accounts']> => ({
  create: () => accounts.create({ name: 'two', platform: 'openai', type: 'apikey' }),
  getById: () => accounts.getById(id),
  findById: () => accounts.findById(id),
  getByIds: () => accounts.getByIds([id]),
  existsById: () => accounts.existsById(id),
  getByCrsAccountId: () => accounts.getByCrsAccountId('crs'),
  update: () => accounts.update({ id, notes: 'seen', extra: { a: 1 } }),
  list: () => accounts.list(),
  listWithFilters: () => accounts.listWithFilters({}, { search: 'inside' }),
  bindGroups: () => accounts.bindGroups(id, [group]),
  removeFromGroup: () => accounts.removeFromGroup(id, group),
  addToGroup: () => accounts.addToGroup(id, group, 1),
  getGroups: () => accounts.getGroups(id),
  listByGroup: () => accounts.listByGroup(group),
  listActive: () => accounts.listActive(),
  listByPlatform: () => accounts.listByPlatform('openai'),
  listSchedulable: () => accounts.listSchedulable(),
  listSchedulableByGroupId: () => accounts.listSchedulableByGroupId(group),
  listSchedulableByPlatform: () => accounts.listSchedulableByPlatform('openai'),
  listSchedulableByGroupIdAndPlatform: () => accounts.listSchedulableByGroupIdAndPlatform(group, 'openai'),
  listSchedulableByPlatforms: () => accounts.listSchedulableByPlatforms(['openai']),
  listSchedulableByGroupIdAndPlatforms: () =>
    accounts.listSchedulableByGroupIdAndPlatforms(group, ['openai']),
  updateLastUsed: () => accounts.updateLastUsed(id),
  batchUpdateLastUsed: () => accounts.batchUpdateLastUsed(new Map([[id, LATER]])),
  setError: () => accounts.setError(id, 'e'),
  setSchedulable: () => accounts.setSchedulable(id, false),
  setRateLimited: () => accounts.setRateLimited(id, LATER),
  setOverloaded: () => accounts.setOverloaded(id, LATER),
  setTempUnschedulable: () => accounts.setTempUnschedulable(id, LATER, 'r'),
  clearTempUnschedulable: () => accounts.clearTempUnschedulable(id),
  clearRateLimit: () => accounts.clearRateLimit(id),
  updateSessionWindow: () => accounts.updateSessionWindow(id, LATER, null, 's'),
  setModelRateLimit: () => accounts.setModelRateLimit(id, 'opus', LATER),
  setAntigravityQuotaScopeLimit: () => accounts.setAntigravityQuotaScopeLimit(id, 'claude', LATER),
  clearModelRateLimits: () => accounts.clearModelRateLimits(id),
  clearAntigravityQuotaScopes: () => accounts.clearAntigravityQuotaScopes(id),
  updateExtra: () => accounts.updateExtra(id, { b: 1 }),
  autoPauseExpiredAccounts: () => accounts.autoPauseExpiredAccounts(new Date()),
  bulkUpdate: () => accounts.bulkUpdate([id], { priority: 9 }),
  delete: () => accounts.delete(id),
});

const callsOfOutbox = (
  outbox: GatewayRepositories['schedulerOutbox'],
): Calls<GatewayRepositories['schedulerOutbox']> => ({
  enqueue: () => outbox.enqueue('full_rebuild'),
  listAfter: () => outbox.listAfter(OUTBOX_START),
  horizon: () => outbox.horizon(),
  maxId: () => outbox.maxId(),
  advanceWatermark: () => outbox.advanceWatermark('c', { txid: '1', id: '1' }),
  watermark: () => outbox.watermark('c'),
  recordFailure: () => outbox.recordFailure('c', { txid: '1', id: '1' }, new Error('failed')),
  listDeadLetters: () => outbox.listDeadLetters('c'),
  putBackDeadLetters: () => outbox.putBackDeadLetters('c', ['1']),
  discardDeadLetters: () => outbox.discardDeadLetters('c', ['1']),
  deleteConsumedUpTo: () => outbox.deleteConsumedUpTo({ txid: '1', id: '1' }, 10, { graceSeconds: 0 }),
  forgetConsumer: () => outbox.forgetConsumer('c'),
});

it('F17: every method joins the transaction, with the one connection that there is, and rolls back with it', async () => {
  const before = await gateway.rows(
    'select (select count(*) from accounts), (select count(*) from scheduler_outbox)',
  );
  const attempt = gateway.em().transactional(async (tx) => {
    const { accounts, schedulerOutbox } = gatewayRepositories(tx);
    const group = await mustCreateGroup(tx);
    const account = await accounts.create({
      name: 'inside',
      platform: 'openai',
      type: 'apikey',
      extra: { crs_account_id: 'crs' },
    });
    const calls = callsOfAccounts(accounts, account.id, group.id);
    for (const call of Object.values(calls)) await call();
    expect(await accounts.findById(account.id)).toBeNull();
    for (const call of Object.values(callsOfOutbox(schedulerOutbox))) await call();
    expect(await gatewayRepositories(tx).accounts.getByCrsAccountId('crs')).toBeNull();
    throw new Error('afterwards');
  });
  await expect(attempt).rejects.toThrow('afterwards');
  expect(
    await gateway.rows('select (select count(*) from accounts), (select count(*) from scheduler_outbox)'),
  ).toEqual(before);
});

it('F17: what was written in the transaction is read in it', async () => {
  await gateway.em().transactional(async (tx) => {
    const { accounts } = gatewayRepositories(tx);
    const { id } = await accounts.create({ name: 'inside', platform: 'sora', type: 'apikey' });
    expect((await accounts.listSchedulableByPlatform('sora')).map((account) => account.id)).toEqual([id]);
    await accounts.setSchedulable(id, false);
    expect(await accounts.listSchedulableByPlatform('sora')).toEqual([]);
    expect((await accounts.getById(id)).schedulable).toBe(false);
  });
});

it('F17: a call beside the transaction waits for its connection, as the original’s did inside of it, as a control', async () => {
  let beside: Promise<unknown> = Promise.resolve();
  await gateway.em().transactional(async (tx) => {
    await gatewayRepositories(tx).accounts.list();
    beside = gatewayRepositories(gateway.em()).accounts.list();
    expect(await Promise.race([beside.then(() => 'answered'), sleep(300, 'waits')])).toBe('waits');
  });
  await expect(beside).resolves.toBeDefined();
});
