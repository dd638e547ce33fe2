import type { Pool } from 'pg';
import { gatewayRepositories } from '../src/gateway/index.ts';
import type { DataEntityManager } from '../src/index.ts';
import type { Workload } from './measure.ts';

const ACCOUNTS = 2_000;
const GROUPS = 200;

/** Beside the rows of the other workloads; each account serves 3 groups, and some may not be chosen. */
const FILL = [
  `insert into groups (name) select 'selection ' || n from generate_series(1, ${GROUPS}) n`,
  `insert into proxies (name, protocol, host, port) select 'p', 'http', 'h', 1 from generate_series(1, 50)`,
  `insert into accounts (name, platform, type, proxy_id, priority, credentials, deleted_at, overload_until)
   select 'account ' || n, (array['anthropic', 'openai', 'gemini', 'antigravity'])[n % 4 + 1], 'oauth',
     case when n % 2 = 0 then (select min(id) from proxies) + n % 50 end, n % 7,
     jsonb_build_object('access_token', repeat('x', 200)),
     case when n % 10 in (1, 4, 7) then now() end, case when n % 17 = 0 then now() + interval '1 day' end
   from generate_series(1, ${ACCOUNTS}) n`,
  `insert into account_groups (account_id, group_id, priority)
   select a.id, g.first + (a.id * 7 + k * 61) % ${GROUPS}, k
   from accounts a cross join generate_series(1, 3) k,
     (select min(id) as first from groups where name like 'selection %') g`,
  'analyze groups, proxies, accounts, account_groups',
] as const;

const chosen = `a.deleted_at is null and a.status = 'active' and a.schedulable
  and (a.temp_unschedulable_until is null or a.temp_unschedulable_until <= now())
  and (a.overload_until is null or a.overload_until <= now())
  and (a.rate_limit_reset_at is null or a.rate_limit_reset_at <= now())
  and (a.expires_at is null or a.expires_at > now() or not a.auto_pause_on_expired)
  and (a.proxy_id is null or exists (select from proxies p where p.id = a.proxy_id and p.deleted_at is null))`;
const withGroups = (accounts: string, order: string): string => `with chosen as materialized (${accounts}),
  bindings as materialized (
    select b.account_id, b.group_id, b.priority from chosen c
    cross join lateral (select * from account_groups where account_id = c.id offset 0) b
  ), bound as (
    select b.account_id, array_agg(b.group_id::text order by b.priority, b.group_id) as group_ids
    from bindings b join groups g on g.id = b.group_id and g.deleted_at is null
    group by b.account_id
  ) select c.*, bound.group_ids from chosen c left join bound on bound.account_id = c.id order by ${order}`;

const PLATFORMS = ['anthropic', 'openai', 'gemini', 'antigravity'];
const OF_GROUP = {
  name: 'bench_selection_group',
  text: withGroups(
    `select own.priority as binding_priority, a.* from account_groups own
     join groups og on og.id = own.group_id and og.deleted_at is null
     join accounts a on a.id = own.account_id
     where own.group_id = $1 and ${chosen}`,
    'c.binding_priority, c.priority, c.id',
  ),
};
const OF_PLATFORM = {
  name: 'bench_selection_platform',
  text: withGroups(`select a.* from accounts a where a.platform = $1 and ${chosen}`, 'c.priority, c.id'),
};

/** Choosing accounts for a request: of a group some twenty, of a platform some 330. Fills the database first. */
export async function accountSelectionWorkloads(pool: Pool, root: DataEntityManager): Promise<Workload[]> {
  for (const statement of FILL) await pool.query(statement);
  const first = await pool.query<{ id: string }>(
    `select min(id)::text as id from groups where name like 'selection %'`,
  );
  const group = (index: number): string => String(BigInt(first.rows[0]?.id ?? '0') + BigInt(index % GROUPS));
  const platform = (index: number): string => PLATFORMS[index % 4] ?? '';
  return [
    {
      name: 'account-selection-group',
      variants: [
        {
          name: 'pg, named statement',
          run: async (i) => (await pool.query({ ...OF_GROUP, values: [group(i)] })).rows,
        },
        {
          name: 'tombstone repository',
          run: (i) => gatewayRepositories(root).accounts.listSchedulableByGroupId(group(i)),
        },
      ],
    },
    {
      name: 'account-selection-platform',
      share: 0.25,
      variants: [
        {
          name: 'pg, named statement',
          run: async (i) => (await pool.query({ ...OF_PLATFORM, values: [platform(i)] })).rows,
        },
        {
          name: 'tombstone repository',
          run: (i) => gatewayRepositories(root).accounts.listSchedulableByPlatform(platform(i)),
        },
      ],
    },
  ];
}
