import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { gatewayRepositories } from 'tombstone/gateway';
import { type Gateway, openGateway } from '../support/gateway.ts';

// A program that only authenticates can do with rights on the columns that an answer has, and on those that say which rows are live.

const GROUP = `id, name, platform, status, subscription_type, rate_multiplier, daily_limit_usd, weekly_limit_usd, monthly_limit_usd,
  image_price_1k, image_price_2k, image_price_4k, claude_code_only, fallback_group_id, model_routing_enabled, model_routing, deleted_at`;
const RIGHTS = `
  grant select (id, user_id, group_id, key, status, ip_whitelist, ip_blacklist, deleted_at) on api_keys to ROLE;
  grant select (id, status, role, balance, concurrency, deleted_at) on users to ROLE;
  grant select (${GROUP}) on groups to ROLE`;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: 1 } });
});
afterAll(() => gateway.close());

it('authenticates without a right on any other column', async () => {
  const [{ role } = { role: '' }] = await gateway.rows<{ role: string }>(
    `select 'authenticates_in_' || current_database() as role`,
  );
  await gateway.rows(`create role ${role}; ${RIGHTS.replaceAll('ROLE', role)};
    insert into users (email, password_hash) values ('a@example.com', 'h');
    insert into api_keys (user_id, key, name, group_id) select u.id, 'sk-a', 'k', g.id from users u, groups g limit 1`);
  try {
    await gateway.rows(`set role ${role}`);
    const found = await gatewayRepositories(gateway.em()).apiKeys.getByKeyForAuth('sk-a');
    expect(found).toMatchObject({ user: { status: 'active' }, group: { id: found.groupId } });
  } finally {
    await gateway.rows(`reset role; drop owned by ${role}; drop role ${role}`);
  }
});
