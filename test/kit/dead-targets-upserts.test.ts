import { MikroORM } from '@mikro-orm/core';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  bigintId,
  type DataDriver,
  type DataEntityManager,
  defineDataConfig,
  defineModule,
  softDelete,
  type UpsertPolicy,
} from 'tombstone';
import { emptyTestDatabase } from '../support/database.ts';

const OwnerSchema = defineEntity({
  name: 'Owner',
  schema: 'sales',
  properties: { id: bigintId(), ...softDelete.properties() },
});
class Owner extends OwnerSchema.class {}
OwnerSchema.setClass(Owner);
softDelete.register(Owner);

/** Hidden by its owner, with a live-only key, an index of all rows, and a mark of another name. */
function ticket<const Name extends string>(name: Name, upsert: UpsertPolicy) {
  const schema = defineEntity({
    name,
    properties: {
      id: bigintId(),
      code: p.string(),
      plays: p.integer().default(0),
      owner: () => p.manyToOne(Owner),
      deletedAt: softDelete.properties().deletedAt.name('removed_at'),
    },
    uniques: [{ name: `${name.toLowerCase()}_code_live`, properties: ['code'], where: { deletedAt: null } }],
    indexes: [{ name: `${name.toLowerCase()}_played`, properties: ['plays'], where: { plays: { $gt: 0 } } }],
  });
  class Ticket extends schema.class {}
  schema.setClass(Ticket);
  softDelete.register(Ticket, { upsert });
  softDelete.deadTargets(Ticket, { owner: 'hide' });
  return Ticket;
}
const tickets = {
  revive: ticket('Revived', 'revive'),
  refuse: ticket('Refused', 'refuse'),
  beside: ticket('Beside', 'beside'),
} as const;
const tables = { revive: 'revived', refuse: 'refused', beside: 'beside' } as const;
type Policy = keyof typeof tickets;
const policies: readonly Policy[] = ['revive', 'refuse', 'beside'];

let orm: MikroORM<DataDriver, DataEntityManager>;
const em = () => orm.em.fork({ disableContextResolution: true });
beforeAll(async () => {
  const { url } = await emptyTestDatabase();
  const entities = [Owner, ...Object.values(tickets)];
  const box = defineModule({ name: 'box', migrations: '/nowhere', entities });
  orm = await MikroORM.init(defineDataConfig({ clientUrl: url, modules: [box] }));
  await orm.schema.create();
});
beforeEach(async () => {
  await em().execute(`
    truncate sales.owner, revived, refused, beside restart identity cascade;
    insert into sales.owner (id, deleted_at) values (1, null), (2, now())`);
  for (const table of Object.values(tables)) {
    await em().execute(`
      insert into ${table} (id, code, owner_id, removed_at) values
        (1, 'shown', 1, null), (2, 'hidden', 2, null), (3, 'dead and hidden', 2, now());
      select setval('${table}_id_seq', 100)`);
  }
});
afterAll(() => orm.close());

const stored = (policy: Policy) =>
  em().execute(`select id, code, plays, removed_at is not null as dead from ${tables[policy]} order by id`);
const row = (code: string) => ({ code, plays: 9, owner: '1' });

describe('a partial index of an entity that hides rows', () => {
  it('says what its mapping says, and no more', async () => {
    const indexes = await em().execute<{ def: string }[]>(
      `select indexdef as def from pg_indexes where tablename = 'revived' and indexdef like '%WHERE%' order by indexname`,
    );
    expect(indexes.map(({ def }) => def.replace(/.* WHERE /, ''))).toEqual([
      '(removed_at IS NULL)',
      '(plays > 0)',
    ]);
    expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
  });
});

describe.each(policies)('an upsert by a live-only unique, with the policy %s,', (policy) => {
  const Ticket = tickets[policy];

  it.each(['merge', 'ignore'] as const)(
    'is refused where a hidden row holds the key: %s',
    async (onConflictAction) => {
      const before = await stored(policy);
      const upsert = (own: DataEntityManager) => own.upsert(Ticket, row('hidden'), { onConflictAction });
      await expect(upsert(em())).rejects.toMatchObject({ code: 'DATA.SOFT_DELETED_ROW', keys: ['2'] });
      expect(await stored(policy)).toEqual(before);
      // Where nothing is hidden, the same call meets a live row.
      expect((await em().withDeleted(upsert)).id).toBe('2');
    },
  );

  it('writes none of its rows where a hidden one is among them', async () => {
    const before = await stored(policy);
    const many = em().upsertMany(Ticket, [row('new'), row('shown'), row('hidden')]);
    await expect(many).rejects.toMatchObject({ code: 'DATA.SOFT_DELETED_ROW', keys: ['2'] });
    expect(await stored(policy)).toEqual(before);
  });

  it('changes a row that is shown', async () => {
    expect((await em().upsert(Ticket, row('shown'))).id).toBe('1');
    expect(await stored(policy)).toContainEqual({ id: '1', code: 'shown', plays: 9, dead: false });
  });
});

it.each(['merge', 'ignore'] as const)(
  'a deleted row that is hidden is not revived, by halves neither: %s',
  async (onConflictAction) => {
    const before = await stored('revive');
    const upsert = em().upsert(tickets.revive, row('dead and hidden'), { onConflictAction });
    await expect(upsert).rejects.toMatchObject({ code: 'DATA.SOFT_DELETED_ROW', keys: ['3'] });
    expect(await stored('revive')).toEqual(before);
  },
);
