import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { enqueueEvent } from '../../src/gateway/outbox/enqueue-event.ts';
import { type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import { contentOf, mustCreateGroupWithChildren, whileRefused } from '../support/gateway-groups.ts';
import { storedEvents } from '../support/gateway-rows.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
/** Has one of everything that may hang on it; made anew for every test, and so is a deleted one. */
let group: string;
let deleted: string;
beforeAll(async () => {
  gateway = await openGateway();
});
beforeEach(async () => {
  group = (await mustCreateGroupWithChildren(gateway.em())).group.id;
  deleted = (await mustCreateGroupWithChildren(gateway.em())).group.id;
  await groupsOf(gateway.em()).delete(deleted);
});
afterAll(() => gateway.close());

type Groups = GatewayRepositories['groups'];
const groupsOf = (em: DataEntityManager): Groups => gatewayRepositories(em).groups;
let serial = 0;

/** What changes a group that has one of everything; answers the id that the event must name. */
const CHANGES: [method: string, change: (groups: Groups) => Promise<string>][] = [
  ['create', async (groups) => (await groups.create({ name: `new ${(serial += 1)}` })).id],
  ['update', async (groups) => (await groups.update({ id: group, description: `text ${(serial += 1)}` })).id],
  ['delete', async (groups) => groups.delete(group).then(() => group)],
  ['deleteCascade', async (groups) => groups.deleteCascade(group).then(() => group)],
  [
    'deleteAccountGroupsByGroupId',
    async (groups) => groups.deleteAccountGroupsByGroupId(group).then(() => group),
  ],
];

/** What changes nothing, although it names a group. */
const STANDSTILLS: [what: string, attempt: (groups: Groups) => Promise<unknown>][] = [
  [
    'update with what is stored',
    async (groups) => groups.update({ id: group, name: (await groups.getById(group)).name }),
  ],
  ['update of nothing', (groups) => groups.update({ id: group })],
  ['delete of an unknown group', (groups) => groups.delete('987654321')],
  ['delete of a deleted group', (groups) => groups.delete(deleted)],
  ['deleteCascade of a deleted group', (groups) => refused(groups.deleteCascade(deleted))],
  ['update of a deleted group', (groups) => refused(groups.update({ id: deleted, status: 'x' }))],
  ['create with a name that is taken', (groups) => refused(groups.create({ name: 'default' }))],
  ['update to a name that is taken', (groups) => refused(groups.update({ id: group, name: 'default' }))],
  ['deleteAccountGroupsByGroupId without bindings', (groups) => groups.deleteAccountGroupsByGroupId('1')],
];

const refused = (attempt: Promise<unknown>): Promise<void> =>
  expect(attempt).rejects.toHaveProperty('status');

const lastEvent = async (): Promise<string> =>
  (await gateway.rows<{ id: string }>('select coalesce(max(id), 0) as id from scheduler_outbox'))[0]?.id ??
  '';
const eventsAfter = (id: string): Promise<object[]> =>
  gateway.rows(
    'select event_type, account_id, group_id, payload, xmin::text from scheduler_outbox where id > ? order by id',
    [id],
  );

describe('the event of a changed group', () => {
  it.each(CHANGES)('is written once by %s', async (_method, change) => {
    const before = await lastEvent();
    const id = await change(groupsOf(gateway.em()));
    const event = { event_type: 'group_changed', account_id: null, group_id: id, payload: null };
    expect(await eventsAfter(before)).toMatchObject([event]);
  });

  it.each(CHANGES)('is written by the transaction of %s', async (method, change) => {
    const before = await lastEvent();
    const id = await change(groupsOf(gateway.em()));
    // The row of the group is not touched by an unbinding.
    if (method === 'deleteAccountGroupsByGroupId') return;
    const [row] = await gateway.rows<{ xmin: string }>('select xmin::text from groups where id = ?', [id]);
    expect(await eventsAfter(before)).toMatchObject([{ xmin: row?.xmin }]);
  });

  it.each(CHANGES)('goes with the roll-back of %s', async (_method, change) => {
    const before = await contentOf(gateway);
    const attempt = gateway.em().transactional(async (tx) => {
      await change(groupsOf(tx));
      expect(await storedEvents(tx)).not.toEqual(await storedEvents(gateway.em()));
      throw new Error('afterwards');
    });
    await expect(attempt).rejects.toThrow('afterwards');
    expect(await contentOf(gateway)).toEqual(before);
  });

  it.each(STANDSTILLS)('is not written by %s', async (_what, attempt) => {
    const before = await lastEvent();
    await attempt(groupsOf(gateway.em()));
    expect(await eventsAfter(before)).toEqual([]);
  });
});

describe('F18: an event that cannot be written', () => {
  const OUTBOX = 'before insert on scheduler_outbox';

  it('is lost, and the change stays, where it is written after the commit', async () => {
    // As the original does: on another connection, with a failure that is only logged.
    const before = await lastEvent();
    await whileRefused(gateway, OUTBOX, async () => {
      await gateway.rows(`update groups set status = 'original' where id = ?`, [group]);
      await enqueueEvent(gateway.em(), { eventType: 'group_changed', groupId: group }).catch(() => undefined);
    });
    expect(await groupsOf(gateway.em()).getById(group)).toMatchObject({ status: 'original' });
    expect(await eventsAfter(before)).toEqual([]);
  });

  it.each(CHANGES)('fails %s, which changes nothing', async (_method, change) => {
    const before = await contentOf(gateway);
    await whileRefused(gateway, OUTBOX, () =>
      expect(change(groupsOf(gateway.em()))).rejects.toMatchObject({ sqlState: 'P0001' }),
    );
    expect(await contentOf(gateway)).toEqual(before);
  });
});
