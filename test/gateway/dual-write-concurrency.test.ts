import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import type { DataEntityManager } from 'tombstone';
import {
  type AllowedGroupsOptions,
  type AllowedGroupsProof,
  deleteGroupCascade,
  gateway as gatewayModule,
  gatewayRepositories,
  verifyAllowedGroups,
} from 'tombstone/gateway';
import { Migrator } from 'tombstone/migrations';
import { emptyTestDatabase } from '../support/database.ts';
import { codeOf, insertGroup, untilBlocked } from '../support/gateway-users.ts';
import {
  type Gateway,
  mustCreateApiKey,
  mustCreateGroup,
  mustCreateUser,
  openGateway,
} from '../support/gateway.ts';

const CALLERS = 32;
const BOTH: AllowedGroupsOptions = { allowedGroups: 'dual-write' };
const pool = { min: 0, max: CALLERS + 8 };

const each = <T>(work: (caller: number) => Promise<T>, callers = CALLERS): Promise<T[]> =>
  Promise.all(Array.from({ length: callers }, (_, caller) => work(caller)));
const idsOf = async (create: () => Promise<{ id: string }>, count: number): Promise<string[]> =>
  (await each(create, count)).map(({ id }) => id);
/** Every so many of the ids, from another one for each caller. */
const some = (ids: readonly string[], n: number, every = 3): string[] =>
  ids.filter((_, index) => (index + n) % every === 0);

describe('where all tables and the array are', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await openGateway({ pool });
    await gateway.rows('alter table users add column allowed_groups bigint[]');
  });
  afterAll(() => gateway.close());

  const DIFFERING = `select from users u where allowed_groups is distinct from
    (select array_agg(group_id order by group_id) from user_allowed_groups where user_id = u.id)`;

  /** Replaces sets of few users, removes and deletes groups; answers the errors, and how often a reader saw a difference. */
  async function storm(options: AllowedGroupsOptions): Promise<{ codes: Set<unknown>; seen: number }> {
    const users = await idsOf(() => mustCreateUser(gateway.em()), 4);
    const groups = await idsOf(() => mustCreateGroup(gateway.em()), 12);
    const [removed = '', deleted = ''] = groups;
    const step = (caller: number, n: number, tx: DataEntityManager): Promise<unknown> => {
      const user = users[(caller + n) % 4] ?? '';
      if (caller === 30) return gatewayRepositories(tx, options).users.removeGroupFromAllowedGroups(removed);
      if (caller === 31 && n === 2) return deleteGroupCascade(tx, deleted, options);
      if (caller % 4 === 3) return mustCreateApiKey(tx, { userId: user, groupId: deleted });
      return gatewayRepositories(tx, options).users.update({
        id: user,
        allowedGroups: some(groups, caller + n),
      });
    };
    let seen = 0;
    const codes = new Set<unknown>();
    await each(async (caller) => {
      for (let n = 0; n < 5; n += 1) {
        // Inside a transaction of the caller nothing is done again, so that a deadlock would be seen.
        codes.add(await codeOf(gateway.em().transactional((tx) => step(caller, n, tx))));
        seen += (await gateway.rows(DIFFERING)).length;
      }
    });
    return { codes, seen };
  }

  it(`${CALLERS} callers leave array and table the same, a reader never sees them differ, and nobody deadlocks`, async () => {
    const { codes, seen } = await storm(BOTH);
    expect([...codes].filter((code) => code !== 'done' && code !== 'GROUP_NOT_FOUND')).toEqual([]);
    expect(seen).toBe(0);
    expect(await verifyAllowedGroups(gateway.em())).toMatchObject({ phase: 1, missing: 0, unexpected: 0 });
  }, 60_000);

  it('see a difference when only the table is written', async () => {
    expect((await storm({})).seen).toBeGreaterThan(0);
    await gateway.rows('update users set allowed_groups = null; delete from user_allowed_groups');
  }, 60_000);

  it('a group that enters a set while it is removed goes from both, because the removal waits', async () => {
    const [group, user] = [await mustCreateGroup(gateway.em()), await mustCreateUser(gateway.em())];
    const change = { id: user.id, allowedGroups: [group.id] };
    const PAIR = 'delete from user_allowed_groups where group_id = ?';
    const ARRAY =
      'update users set allowed_groups = array_remove(allowed_groups, ?) where ? = any (allowed_groups)';

    // The two deletions alone, with the set committed between them: the array keeps what the table has lost.
    await gateway.em().transactional(async (other) => {
      await gateway.em().transactional(async (tx) => {
        await gatewayRepositories(tx, BOTH).users.update(change);
        await other.skipSoftDelete((all) => all.execute(ARRAY, [group.id, group.id]));
      });
      await other.execute(PAIR, [group.id]);
    });
    expect(await verifyAllowedGroups(gateway.em())).toMatchObject({ missing: 1 });

    await gatewayRepositories(gateway.em(), BOTH).users.update({ id: user.id, allowedGroups: [] });
    let removal: Promise<number> | undefined;
    await gateway.em().transactional(async (tx) => {
      await gatewayRepositories(tx, BOTH).users.update(change);
      removal = gatewayRepositories(gateway.em(), BOTH).users.removeGroupFromAllowedGroups(group.id);
      await untilBlocked(gateway);
    });
    expect(await removal).toBe(1);
    expect(await verifyAllowedGroups(gateway.em())).toMatchObject({ missing: 0, unexpected: 0 });
  });

  it.each(['a new key', 'a set'])(
    '%s waits for the deletion of its group without holding its user',
    async (what) => {
      const group = await mustCreateGroup(gateway.em());
      const { id: userId } = await mustCreateUser(gateway.em());
      const both = gatewayRepositories(gateway.em(), BOTH).users;
      const change = { id: userId, allowedGroups: [group.id], notes: 'late' };
      await both.update({ ...change, notes: 'early' });
      let late: Promise<unknown> | undefined;
      await gateway.em().transactional(async (tx) => {
        await tx.execute('select id from groups where id = ? and deleted_at is null for update', [group.id]);
        const write: Promise<unknown> =
          what === 'a set'
            ? both.update(change)
            : mustCreateApiKey(gateway.em(), { userId, groupId: group.id });
        late = codeOf(write);
        await untilBlocked(gateway);
        await deleteGroupCascade(tx, group.id, BOTH);
      });
      expect(await late).toBe('GROUP_NOT_FOUND');
      expect(await both.getById(userId)).toMatchObject({ notes: 'early', allowedGroups: [] });
      expect(await verifyAllowedGroups(gateway.em())).toMatchObject({ missing: 0, unexpected: 0 });
    },
  );

  it('removals that meet in several users wait for each other', async () => {
    const groups = await idsOf(() => mustCreateGroup(gateway.em()), CALLERS);
    await each(() => mustCreateUser(gateway.em()), 8);
    await gateway.rows('update users set allowed_groups = ?', [`{${groups.join(',')}}`]);
    await gateway.rows(
      'insert into user_allowed_groups (user_id, group_id) select id, unnest(allowed_groups) from users on conflict do nothing',
    );
    const [all] = await gateway.rows<{ count: number }>('select count(*)::int as count from users');
    const counts = await each((caller) =>
      gateway
        .em()
        .transactional((tx) =>
          gatewayRepositories(tx, BOTH).users.removeGroupFromAllowedGroups(groups[caller] ?? ''),
        ),
    );
    expect(counts).toEqual(Array(CALLERS).fill(all?.count));
    expect(await gateway.rows('select from users where allowed_groups is not null')).toEqual([]);
  }, 60_000);
});

interface Write {
  readonly user_id: string;
  readonly ids: string[];
  readonly replaces: boolean;
}

const NOTE = 'insert into writes (user_id, ids, replaces) values ($1, $2, $3)';

/**
 * 16 old programs add to arrays, 16 new ones replace sets of the same users, and the column is dropped meanwhile. Each write
 * is noted in its own transaction while the user is locked, so the notes of a user are in the order of its writes.
 */
async function switchOver(
  options: AllowedGroupsOptions,
): Promise<{ differing: string[]; proof: AllowedGroupsProof }> {
  const { url } = await emptyTestDatabase();
  const migrator = new Migrator({ connection: url, modules: [gatewayModule] });
  await migrator.up({ to: '022_create_usage_logs' });
  const gateway = await openGateway({ url, pool });
  await gateway.rows(
    'create table writes (n bigserial primary key, user_id bigint, ids bigint[], replaces boolean)',
  );
  const users = await idsOf(() => mustCreateUser(gateway.em()), 8);
  const groups = await each(() => insertGroup(gateway.em()), 200);
  const done = { old: 0, new: 0, switched: 0 };
  let stage: 'before' | 'during' | 'after' = 'before';

  const oldProgram = async (caller: number): Promise<void> => {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      for (let n = 0; ; n += 1) {
        const [user, group] = [users[(caller + n) % 8], groups[(caller * 37 + n * 7) % 200]];
        await client.query('begin');
        await client.query(
          `update users set allowed_groups = coalesce(allowed_groups, '{}') || $2::bigint where id = $1`,
          [user, group],
        );
        await client.query(NOTE, [user, [group], false]);
        await client.query('commit');
        done.old += 1;
      }
    } catch (error) {
      expect(error).toMatchObject({ code: '42703' });
    } finally {
      await client.end();
    }
  };
  const newProgram = async (caller: number): Promise<void> => {
    let mode = options;
    // One that writes the table only is not told that the column goes, so it ends before.
    const isAtWork = () => (options === BOTH ? stage !== 'after' || done.switched < 64 : stage === 'before');
    for (let n = 0; isAtWork(); n += 1) {
      // Later replacements of half of the users only: the other sets are what the drop of the column has made of them.
      const own = mode === BOTH || options !== BOTH ? users : users.slice(4);
      const change = {
        id: own[(caller + n) % own.length] ?? '',
        allowedGroups: some(groups, caller + n, 20),
      };
      const code = await codeOf(
        gateway.em().transactional(async (tx) => {
          await gatewayRepositories(tx, mode).users.update(change);
          await tx.execute(NOTE.replace(/\$\d/g, '?'), [
            change.id,
            `{${change.allowedGroups.join(',')}}`,
            true,
          ]);
        }),
      );
      if (code === 'ALLOWED_GROUPS_DROPPED') mode = {};
      else expect(code).toBe('done');
      if (mode !== options) done.switched += 1;
      done.new += 1;
    }
  };
  const migration = async (): Promise<void> => {
    while (done.old < 200 || done.new < 200) await new Promise((resolve) => setTimeout(resolve, 5));
    stage = 'during';
    await migrator.up({ to: '025_drop_users_allowed_groups' });
    stage = 'after';
  };
  await Promise.all([migration(), each(oldProgram, 16), each(newProgram, 16)]);

  const expected = new Map(users.map((user) => [user, new Set<string>()]));
  for (const write of await gateway.rows<Write>('select user_id, ids, replaces from writes order by n')) {
    const set = expected.get(write.user_id);
    if (write.replaces) set?.clear();
    for (const id of write.ids) set?.add(id);
  }
  const differing: string[] = [];
  for (const [user, set] of expected) {
    const { allowedGroups } = await gatewayRepositories(gateway.em()).users.getById(user);
    if (allowedGroups.join() !== [...set].toSorted((a, b) => Number(a) - Number(b)).join())
      differing.push(user);
  }
  const proof = await verifyAllowedGroups(gateway.em());
  await gateway.close();
  return { differing, proof };
}

describe('old programs that write the array only, and new ones that write both, until the column goes', () => {
  it('lose nothing: each set is what its last replacement and the grants after it make', async () => {
    const { differing, proof } = await switchOver(BOTH);
    expect(differing).toEqual([]);
    expect(proof).toMatchObject({ phase: 2, missing: 0, unexpected: 0 });
    expect(proof.pairsWritten).toBe(proof.pairsExpected);
  }, 120_000);

  it('bring groups back that were taken from a set, when the new ones write the table only', async () => {
    expect((await switchOver({})).differing).not.toEqual([]);
  }, 120_000);
});
