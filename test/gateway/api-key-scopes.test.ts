import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { type ApiKeyWithRelations, gatewayRepositories } from 'tombstone/gateway';
import { type Gateway, openGateway } from '../support/gateway.ts';

// The look-ups of one key read its group beside the join; the rows are those of a join in every scope.

/** Beside the group that the migrations have made. */
const FILL = `
  insert into groups (name, deleted_at)
    select 'g' || n, case n when 2 then now() end from generate_series(1, 2) n;
  insert into users (email, password_hash, deleted_at)
    select n || '@example.com', 'h', case n when 2 then now() end from generate_series(1, 2) n;
  insert into api_keys (user_id, key, name, group_id, deleted_at)
    select u.id, concat_ws('-', 'sk', u.id, g.id, dead), 'k', g.id, case when dead then now() end
    from users u, (select id from groups union all select null) g, (values (true), (false)) d (dead)`;

const SCOPES = {
  live: (alias: string) => `${alias}.deleted_at is null`,
  withDeleted: () => 'true',
  onlyDeleted: (alias: string) => `${alias}.deleted_at is not null`,
  skipSoftDelete: () => 'true',
} as const;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: 1 } });
  await gateway.rows(FILL);
});
afterAll(() => gateway.close());

interface Found {
  readonly id: string;
  readonly user: string | null;
  readonly group: string | null;
}

const relationsOf = ({ id, user, group }: ApiKeyWithRelations): Found => ({
  id,
  user: user?.email ?? null,
  group: group?.name ?? null,
});

it.each(Object.keys(SCOPES) as (keyof typeof SCOPES)[])('%s', async (scope) => {
  const sees = SCOPES[scope];
  const joined = await gateway.rows<Found>(`select k.id, u.email as user, g.name as "group" from api_keys k
    left join users u on u.id = k.user_id and ${sees('u')}
    left join groups g on g.id = k.group_id and ${sees('g')} where ${sees('k')}`);
  const keys = await gateway.rows<{ id: string; key: string }>('select id, key from api_keys');
  const within = <T>(work: (em: DataEntityManager) => Promise<T>): Promise<T> =>
    scope === 'live' ? work(gateway.em()) : gateway.em()[scope]((em) => work(em as DataEntityManager));
  for (const { id, key } of keys) {
    const expected = joined.find((row) => row.id === id);
    const byId = within((em) => gatewayRepositories(em).apiKeys.getById(id).then(relationsOf));
    const byKey = within((em) => gatewayRepositories(em).apiKeys.getByKey(key).then(relationsOf));
    const found = await Promise.all([byId.catch(() => undefined), byKey.catch(() => undefined)]);
    expect(found).toEqual([expected, expected]);
  }
  expect(keys).toHaveLength(16);
});
