import type { MikroORM as CoreOrm } from '@mikro-orm/core';
import { MikroORM, PostgreSqlDriver } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defineDataConfig } from 'tombstone';
import { ApiKey, gateway, Group, User, UserAllowedGroup } from 'tombstone/gateway';
import { formatLeakReport, type LeakReport, runLeakSuite } from 'tombstone/testing';
import { cloneTestDatabase } from '../support/database.ts';

let url: string;
beforeAll(async () => {
  url = (await cloneTestDatabase()).url;
});

describe('the leak suite over the gateway', () => {
  let report: LeakReport;
  beforeAll(async () => {
    const orm = await MikroORM.init(defineDataConfig({ clientUrl: url, modules: [gateway] }));
    report = await runLeakSuite(orm);
    await orm.close();
  });

  it('finds every dead row out of sight and out of reach', () => {
    expect(report.leaks).toEqual([]);
    expect(report.broken).toEqual([]);
  });

  it('proves each probe with the guard off', () => {
    expect(report.vacuous).toEqual([]);
  });

  it('covers every soft-deletable entity and every relation to one', () => {
    expect(report.entities).toEqual([
      'Account',
      'AccountGroup',
      'ApiKey',
      'BillingUsageEntry',
      'Group',
      'PromoCodeUsage',
      'Proxy',
      'RedeemCode',
      'SoraAccount',
      'SoraCacheFile',
      'SoraTask',
      'SoraUsageStats',
      'UsageLog',
      'User',
      'UserAllowedGroup',
      'UserAttributeDefinition',
      'UserAttributeValue',
      'UserSubscription',
    ]);
    const names = report.results.map((result) => result.name);
    for (const name of [
      'ApiKey.user populate joined',
      'ApiKey.group lazy load',
      'Group.fallbackGroup populate select-in',
    ]) {
      expect(names).toContain(name);
    }
    expect(names.length).toBeGreaterThan(100);
  });

  it('prints a line per probe and the sums', () => {
    const text = formatLeakReport(report);
    expect(text.split('\n')).toHaveLength(report.results.length + 1);
    expect(text).toMatch(/0 leaking, 0 broken, 0 proving nothing, 0 not run$/);
  });
});

describe('the leak suite over an ORM without the layer', () => {
  let orm: CoreOrm;
  beforeAll(async () => {
    orm = (await MikroORM.init({
      driver: PostgreSqlDriver,
      clientUrl: url,
      entities: [User, UserAllowedGroup, Group, ApiKey],
    })) as never;
  });
  afterAll(() => orm.close());

  it('names the leaks, so that it would name ours', async () => {
    const { leaks, vacuous } = await runLeakSuite(orm, { guardOff: (em, work) => work(em) });
    expect(leaks).toContain('User.find');
    expect(leaks).toContain('User.nativeDelete');
    expect(leaks).toContain('ApiKey.user populate joined');
    expect(leaks.length).toBeGreaterThan(90);
    expect(vacuous).toEqual([]);
  });
});
