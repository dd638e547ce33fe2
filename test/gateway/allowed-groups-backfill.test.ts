import { setTimeout as sleep } from 'node:timers/promises';
import { MikroORM } from '@mikro-orm/core';
import { describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { defineDataConfig } from 'tombstone';
import { gateway, verifyAllowedGroups } from 'tombstone/gateway';
import { Migrator } from 'tombstone/migrations';
import { fillPhaseZero } from '../../tour/phase-zero.ts';
import { backfillRow, killedRuns, rowsOf } from '../migrations/fixtures/backfill.ts';
import { emptyTestDatabase } from '../support/database.ts';

const USERS = 20_000;

describe('the allowed groups of 20,000 users', () => {
  const PAIRS = `select distinct u.id as user_id, g.id as group_id from users u
    cross join lateral unnest(u.allowed_groups) as allowed (group_id) join groups g on g.id = allowed.group_id`;
  const migrator = (url: string): Migrator => new Migrator({ connection: url, modules: [gateway] });
  const phaseZero = async (): Promise<string> => {
    const { url } = await emptyTestDatabase();
    await migrator(url).up({ to: '006' });
    await fillPhaseZero(url);
    return url;
  };

  it('move to the table although the run is killed in between, and the database ends in phase 2', async () => {
    const url = await phaseZero();
    await rowsOf(url, `create table expected as ${PAIRS}`);
    expect(await killedRuns(url, gateway.migrations, 3, 5)).toBe(3);
    expect(await backfillRow(url)).toMatchObject({
      passes: 1,
      batches: 20,
      rows_read: USERS,
      verified: true,
    });
    const [differing] = await rowsOf<{ rows: number }>(
      url,
      `select count(*)::int as rows from expected e full join user_allowed_groups a using (user_id, group_id)
       where e.user_id is null or a.user_id is null or e.group_id is null`,
    );
    expect(differing).toEqual({ rows: 0 });
    expect(
      await rowsOf(url, "select from pg_attribute where attname = 'allowed_groups' and not attisdropped"),
    ).toEqual([]);
  }, 60_000);

  it('lose nothing that old programs write into arrays, while they are moved and until the column goes', async () => {
    const url = await phaseZero();
    const end = new AbortController();
    const granted = new Set<string>();
    const writer = async (offset: number): Promise<void> => {
      const client = new Client({ connectionString: url });
      await client.connect();
      for (let n = 0; !end.signal.aborted; n += 1) {
        const [user, group] = [1 + ((n * 7919 + offset) % USERS), 1 + ((n + offset) % 200)];
        await client.query(
          `update users set allowed_groups = coalesce(allowed_groups, '{}') || $2::bigint where id = $1`,
          [user, group],
        );
        granted.add(`${user}:${group}`);
        await sleep(2);
      }
      await client.end();
    };
    const writers = [writer(0), writer(5)];
    // Writers that never rest may leave a pair behind the last pass; then the file says so, and is run again.
    for (;;) {
      const error: unknown = await migrator(url)
        .up({ to: '008' })
        .then(
          () => undefined,
          (reason: unknown) => reason,
        );
      if (error === undefined) break;
      expect(error).toMatchObject({ code: 'MIGRATION.BACKFILL_UNVERIFIED', differences: { unexpected: 0 } });
      end.abort();
    }
    end.abort();
    await Promise.all(writers);
    // What came behind the verification is in the arrays only, and comes with the contract step.
    await migrator(url).up();
    expect(granted.size).toBeGreaterThan(50);
    const pairs = await rowsOf<{ pair: string }>(
      url,
      `select user_id || ':' || group_id as pair from user_allowed_groups`,
    );
    const found = new Set(pairs.map(({ pair }) => pair));
    expect([...granted].filter((pair) => !found.has(pair))).toEqual([]);
  }, 60_000);

  it('are refused as unexpected where an old program has revoked one behind the cursor', async () => {
    const url = await phaseZero();
    const other = new Client({ connectionString: url });
    await other.connect();
    // As an old program would, only at a moment that is certain: behind the batch that has copied user 1.
    await other.query(`create function revoke_one() returns trigger language plpgsql as $$ begin
      update users set allowed_groups = '{}' where id = 1 and exists (select from user_allowed_groups where user_id = 1); return null; end $$`);
    await other.query(`create function watch() returns event_trigger language plpgsql as $$ begin
      if to_regclass('user_allowed_groups') is not null and not exists (select from pg_trigger where tgname = 'revoking') then
        create trigger revoking after insert on user_allowed_groups for each statement execute function revoke_one();
      end if; end $$`);
    await other.query(
      `create event trigger watch on ddl_command_end when tag in ('CREATE INDEX') execute function watch()`,
    );
    const error: unknown = await migrator(url)
      .up()
      .then(
        () => undefined,
        (reason: unknown) => reason,
      );
    expect(error).toMatchObject({
      code: 'MIGRATION.BACKFILL_UNVERIFIED',
      file: 'gateway/007_add_user_allowed_groups.sql',
      differences: { missing: 0, unexpected: 2, different: 0 },
    });
    await other.query('drop event trigger watch; drop trigger revoking on user_allowed_groups');
    await other.query('delete from user_allowed_groups where user_id = 1');
    await other.end();
    await migrator(url).up({ to: '008' });
    const orm = await MikroORM.init(defineDataConfig({ clientUrl: url, modules: [gateway] }));
    expect(await verifyAllowedGroups(orm.em.fork())).toMatchObject({ phase: 1, missing: 0, unexpected: 0 });
    await orm.close();
  }, 60_000);
});
