import { type EntityClass, defineEntity, p } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { defineModule, softDelete } from 'tombstone';
import { checkDeletion, type DeletePolicy, deleteRows, deletion, restore } from 'tombstone/deletion';
import { connect } from '../kit/fixtures/backstop.ts';
import { databaseWith, openOrm } from './fixtures/music.ts';

const TABLES = `
  create table boards (id bigserial primary key, deleted_at timestamptz);
  create table badges (id bigserial primary key);
  create table board_badges (
    board_id bigint not null constraint board_badges_board_fkey references boards on delete cascade,
    badge_id bigint not null constraint board_badges_badge_fkey references badges on delete cascade,
    note text, primary key (board_id, badge_id))`;

let client: Client;
let url: string;
beforeAll(async () => {
  url = await databaseWith(TABLES);
  client = await connect(url);
});
afterAll(() => client.end());

interface Declared {
  readonly onCollection?: DeletePolicy;
  readonly onLink?: DeletePolicy;
}

let made = 0;

/** Boards with badges by a link table that is an entity of its own, and the policies where they are declared. */
async function opened({ onCollection, onLink }: Declared) {
  made += 1;
  const Badge = defineEntity({
    name: `Badge${made}`,
    tableName: 'badges',
    properties: { id: p.bigint('string').primary() },
  });
  const Board = defineEntity({
    name: `Board${made}`,
    tableName: 'boards',
    properties: {
      id: p.bigint('string').primary(),
      badges: () => p.manyToMany(Badge as never).pivotEntity(() => link as never),
      ...softDelete.properties(),
    },
  });
  const Link = defineEntity({
    name: `BoardBadge${made}`,
    tableName: 'board_badges',
    properties: {
      board: () => p.manyToOne(Board as never).primary(),
      badge: () => p.manyToOne(Badge as never).primary(),
      note: p.text().nullable(),
    },
  });
  const [badge, board, link] = [Badge, Board, Link].map((schema) => {
    const name = schema.meta.className;
    const named = { [name]: class extends (schema.class as new () => object) {} }[name];
    schema.setClass(named as never);
    return named as unknown as EntityClass<{ deletedAt?: Date | null }>;
  }) as [EntityClass<object>, EntityClass<{ deletedAt?: Date | null }>, EntityClass<object>];
  softDelete.register(board as never);
  deletion.register(board as never);
  softDelete.deadTargets(link as never, { board: 'stub' } as never);
  if (onCollection) deletion.relations(board as never, { badges: onCollection } as never);
  if (onLink) deletion.relations(link as never, { board: onLink } as never);
  const module = defineModule({ name: 'boards', migrations: '/nowhere', entities: [badge, board, link] });
  const db = await openOrm(url, module);
  return { ...db, board };
}

/** What becomes of a link when its board is deleted, and when it is restored. */
async function fateOf(declared: Declared) {
  const { orm, board, close } = await opened(declared);
  try {
    await client.query(`truncate boards, badges, board_badges;
      insert into boards (id) values (1); insert into badges (id) values (1); insert into board_badges values (1, 1, 'x')`);
    const em = orm.em.fork();
    const { batch, removed } = await deleteRows(em, board, { id: '1' } as never);
    await restore(em, batch!);
    return { removed, restored: (await client.query('select note from board_badges')).rows };
  } finally {
    await close();
  }
}

const recorded = { removed: { board_badges_board_fkey: 1 }, restored: [{ note: 'x' }] };
const removed = { removed: { board_badges_board_fkey: 1 }, restored: [] };

it.each<[Declared, typeof recorded | typeof removed]>([
  [{}, recorded],
  [{ onCollection: 'remove' }, removed],
  [{ onLink: 'remove' }, removed],
  [{ onLink: 'record' }, recorded],
  [{ onLink: 'remove', onCollection: 'remove' }, removed],
])('the links of a mapped link table take the policy that is declared: %j', async (declared, expected) => {
  expect(await fateOf(declared)).toEqual(expected);
});

it('a policy on the relation of the link that the database contradicts is refused', async () => {
  const { orm, close } = await opened({ onLink: 'restrict' });
  await expect(checkDeletion(orm.em.fork())).rejects.toMatchObject({
    code: 'DELETION.CONTRADICTION',
    constraint: 'board_badges_board_fkey',
    message: expect.stringMatching(/^BoardBadge\d+\.board .*declares restrict/),
  });
  await close();
});

it('two policies for one foreign key are refused, whichever of them would have been meant', async () => {
  const { orm, close } = await opened({ onLink: 'record', onCollection: 'remove' });
  await expect(checkDeletion(orm.em.fork())).rejects.toMatchObject({
    code: 'DELETION.CONTRADICTION',
    constraint: 'board_badges_board_fkey',
    message: expect.stringMatching(
      /declares (remove|record), and \S+ declares (record|remove) for the same rows/,
    ),
  });
  await close();
});
