import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { array, assert, asyncProperty, constantFrom, nat, record } from 'fast-check';
import type { Client } from 'pg';
import { connect } from '../kit/fixtures/backstop.ts';
import { guarantee, softTables } from './fixtures/guarantee.ts';
import { databaseWith } from './fixtures/music.ts';

const TABLES = `create table nests (id int primary key, upper_id int constraint nests_upper_id_fkey references nests, deleted_at timestamptz);
  create table birds (id int primary key, nest_id int constraint birds_nest_id_fkey references nests, deleted_at timestamptz);
  create index on birds (nest_id);
  create index on nests (upper_id)`;
const NESTS = 4;
const SESSIONS = 4;

/** What a program may send; few rows, so that sessions meet. */
const VERBS = {
  insertNest:
    'insert into nests (id, upper_id) values ($1::int, nullif($2::int, $1::int)) on conflict do nothing',
  insertBird:
    'insert into birds (id, nest_id) values ($1, $2) on conflict (id) do update set nest_id = excluded.nest_id',
  moveNest: 'update nests set upper_id = nullif($2::int, $1::int) where id = $1::int',
  moveBird: 'update birds set nest_id = $2 where id = $1',
  markNest: 'update nests set deleted_at = now() where id = $1 and $2::int is not null',
  markBird: 'update birds set deleted_at = now() where id = $1 and $2::int is not null',
  liftNest: 'update nests set deleted_at = null where id = $1 and $2::int is not null',
  liftBird: 'update birds set deleted_at = null where id = $1 and $2::int is not null',
  purgeNest: 'delete from nests where id = $1 and deleted_at is not null and $2::int is not null',
  purgeBird: 'delete from birds where id = $1 and deleted_at is not null and $2::int is not null',
} as const;

type Verb = keyof typeof VERBS;

interface Step {
  readonly session: number;
  readonly verb: Verb;
  readonly row: number;
  readonly other: number;
  /** Whether it is stored together with the next one of its session. */
  readonly holds: boolean;
}

const step = record({
  session: nat(SESSIONS - 1),
  verb: constantFrom(...(Object.keys(VERBS) as Verb[])),
  row: nat(NESTS - 1),
  other: nat(NESTS - 1),
  holds: constantFrom(true, false),
});

// One statement sees one committed state.
const ORPHANS = `select 1 from birds b join nests n on n.id = b.nest_id where b.deleted_at is null and n.deleted_at is not null
  union all select 1 from nests c join nests n on n.id = c.upper_id where c.deleted_at is null and n.deleted_at is not null`;

const REFUSED = new Set(['23503', '40P01', '25P02']);

/** The steps of one session, in their order; a refused one takes its transaction back. */
async function play(client: Client, steps: readonly Step[]): Promise<number> {
  let refused = 0;
  let isOpen = false;
  for (const { verb, row, other, holds } of steps) {
    if (!isOpen) await client.query('begin');
    isOpen = holds;
    try {
      await client.query(VERBS[verb], [row, other]);
      if (!holds) await client.query('commit');
    } catch (error) {
      if (!REFUSED.has((error as { code?: string }).code ?? '')) throw error;
      refused += 1;
      isOpen = false;
      await client.query('rollback');
    }
  }
  if (isOpen) await client.query('commit').catch(() => undefined);
  return refused;
}

describe.each([['plain'], ['online'], ['none']] as const)(
  'random work of parallel sessions, guarantee %s',
  (form) => {
    let clients: Client[];
    let witness: Client;
    beforeAll(async () => {
      const url = await databaseWith(TABLES);
      witness = await connect(url);
      clients = await Promise.all(Array.from({ length: SESSIONS }, () => connect(url)));
      const model = softTables('nests', 'birds');
      for (const key of form === 'none' ? [] : ['birds_nest_id_fkey', 'nests_upper_id_fkey'])
        await guarantee(witness, url, key, { model, online: form === 'online' });
    });
    afterAll(async () => {
      for (const client of [witness, ...clients]) await client.end();
    });

    it(
      form === 'none' ? 'leaves live children of dead parents' : 'never shows a live child of a dead parent',
      async () => {
        let [orphans, refused, snapshots] = [0, 0, 0];
        await assert(
          asyncProperty(array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
            await witness.query('truncate nests, birds; insert into nests select generate_series(0, 3)');
            let isOver = false;
            const watching = (async () => {
              for (let isLast = false; !isLast; snapshots += 1) {
                isLast = isOver;
                orphans += (await witness.query(ORPHANS)).rows.length;
              }
            })();
            const playing = clients.map((client, at) =>
              play(
                client,
                steps.filter(({ session }) => session === at),
              ),
            );
            for (const count of await Promise.all(playing)) refused += count;
            isOver = true;
            await watching;
            if (form !== 'none') expect(orphans).toBe(0);
          }),
          { numRuns: Number(process.env['PROPERTY_RUNS'] ?? 40) },
        );
        expect(snapshots).toBeGreaterThan(40);
        expect(refused).toBeGreaterThan(0);
        if (form === 'none') expect(orphans).toBeGreaterThan(0);
      },
      120_000,
    );
  },
);
