import { MikroORM } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { assert, asyncProperty, nat } from 'fast-check';
import type { Client } from 'pg';
import { type DataEntityManager, defineDataConfig, deletionJournal } from 'tombstone';
import { type BatchId, checkDeletion, deleteRows, placeHold, purge, restore } from 'tombstone/deletion';
import { connect } from '../kit/fixtures/backstop.ts';
import { databaseWith } from './fixtures/music.ts';
import { purgedRows, softOf, type StoredHold, type StoredRow } from './fixtures/purge-model.ts';
import {
  isSoft,
  trashEntities,
  type TrashForm,
  trashForm,
  trashKeysSql,
  trashSql,
} from './fixtures/random-trash.ts';

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 8);
const SEED = Number(process.env['PROPERTY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

let url: string;
let client: Client;
beforeAll(async () => {
  url = await databaseWith('select 1');
  client = await connect(url);
});
afterAll(() => client.end());

/** How often each thing was met: a property that meets only some of them says little. */
const met = new Map<string, number>();
const meet = (what: string): unknown => met.set(what, (met.get(what) ?? 0) + 1);

/** Choices that follow from one number of the generator. */
class Picks {
  #state: number;
  constructor(seed: number) {
    this.#state = seed;
  }
  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return (this.#state >>> 8) % limit;
  }
  of<T>(all: readonly T[]): T {
    return all[this.below(all.length)] as T;
  }
}

interface World {
  readonly form: TrashForm;
  readonly em: () => DataEntityManager;
  readonly entities: ReturnType<typeof trashEntities>['entities'];
  readonly picks: Picks;
}

const BATCH_DAYS = [5, 12, 15, 25, 35];

/** Rows that refer to others at random, so that there are trees, loops and circles. */
async function plant({ form, picks }: World, first: number, count: number): Promise<void> {
  const ids = form.tables.map((_table, table) =>
    Array.from({ length: count }, (_, n) => String(first + table * 100 + n)),
  );
  const there = (await stored(form)).map(({ table, id }) => ({ table, id }));
  for (const [table, own] of ids.entries()) there.push(...own.map((id) => ({ table, id })));
  const inserts = ids.flatMap((own, table) =>
    own.map((id) => `insert into t${table} (id, tenant) values (${id}, '${picks.of(['a', 'b'])}')`),
  );
  const updates = form.edges.flatMap(({ name, child, parent }) =>
    (ids[child] ?? []).flatMap((id) => {
      if (picks.below(3) === 0) return [];
      const up = picks.of(there.filter(({ table }) => table === parent));
      return up ? [`update t${child} set ${name}_id = ${up.id} where id = ${id}`] : [];
    }),
  );
  await client.query([...inserts, ...updates].join(';'));
}

/** Deletes by policies, and lets some days go by for each batch; one row in between is marked by a program without the journal. */
async function deleteSome({ form, em, entities, picks }: World): Promise<BatchId[]> {
  const batches: BatchId[] = [];
  const soft = softOf(form);
  for (let round = 0; round < 6; round += 1) {
    const table = picks.of(soft);
    const live = await client.query<{ id: string }>(
      `select id from t${table} where deleted_at is null order by id`,
    );
    if (live.rows.length === 0) continue;
    const { id } = picks.of(live.rows);
    if (round === 3)
      await client.query(`update t${table} set deleted_at = now() where id = $1 and deleted_at is null`, [
        id,
      ]);
    else {
      const { batch } = await deleteRows(em(), entities[table]!, { id });
      if (batch) batches.push(batch);
    }
    const days = picks.of(BATCH_DAYS);
    await client.query(
      [...soft.map((index) => `t${index}`), 'deletion_batches']
        .map(
          (name) => `update ${name} set deleted_at = deleted_at - interval '${days} days'
            where deleted_at > now() - interval '1 hour' /* soft-delete: dead rows, because they grow older */`,
        )
        .join(';'),
    );
  }
  return batches;
}

async function holdSome(
  { form, em, entities, picks }: World,
  rows: readonly StoredRow[],
): Promise<StoredHold[]> {
  const holds: StoredHold[] = [];
  const mapped = rows.filter((row) => form.tables[row.table]?.kind !== 'unmapped');
  const dead = mapped.filter(({ age }) => age !== undefined);
  for (let count = picks.below(3); count > 0; count -= 1) {
    const { table, id } = picks.of(dead.length > 0 && count === 1 ? dead : mapped);
    const isAll = picks.below(6) === 0;
    holds.push({ table, id: isAll ? null : id });
    const reason = 'matter 12';
    await placeHold(em(), entities[table]!, isAll ? { all: true, reason } : { key: id, reason });
  }
  return holds;
}

async function stored({ tables, edges }: TrashForm): Promise<StoredRow[]> {
  const found: StoredRow[] = [];
  for (const [table, form] of tables.entries()) {
    const age = isSoft(form) ? `floor(extract(epoch from now() - deleted_at) / 86400)::int` : 'null::int';
    const { rows } = await client.query<Record<string, string | null> & { age: number | null }>(
      `select t.*, ${age} as age from t${table} t order by id /* soft-delete: dead rows too, because a purge is about them */`,
    );
    for (const row of rows) {
      const own = edges
        .filter(({ child }) => child === table)
        .map(({ name }) => [name, row[`${name}_id`] ?? null]);
      found.push({
        table,
        id: row['id']!,
        tenant: row['tenant']!,
        refs: Object.fromEntries(own),
        age: row.age ?? undefined,
      });
    }
  }
  return found;
}

function countsOf(rows: Iterable<StoredRow>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { table } of rows) counts[`public.t${table}`] = (counts[`public.t${table}`] ?? 0) + 1;
  return counts;
}

async function check(world: World): Promise<void> {
  const { form, em, picks } = world;
  await plant(world, 1000, 5);
  const batches = await deleteSome(world);
  await plant(world, 2000, picks.below(2));
  const before = await stored(form);
  const fell = await journaled(batches);
  const holds = await holdSome(world, before);
  const tenant = picks.below(3) === 0 ? 'b' : undefined;
  const olderThan = picks.below(4) === 0 ? 10 : undefined;
  const { purged, links } = purgedRows({ form, rows: before, holds, tenant, olderThan });
  const options = {
    ...(tenant !== undefined && { tenant }),
    ...(olderThan !== undefined && { olderThan: `${olderThan} days` }),
  };
  const said = await purge(em(), { ...options, dryRun: true });
  expect(await stored(form)).toEqual(before);
  expect(said.purged).toEqual(countsOf(purged));
  const done = await purge(em(), { ...options, batchSize: picks.of([1, 2, 3, 100]) });
  expect(await stored(form)).toEqual(before.filter((row) => !purged.has(row) && !links.has(row)));
  const { purged: counts, links: linked, held, blocked } = done;
  expect({ purged: counts, links: linked, held, blocked }).toEqual({
    purged: said.purged,
    links: said.links,
    held: said.held,
    blocked: said.blocked,
  });
  expect((await purge(em(), options)).purged).toEqual({});
  if (purged.size > 0) meet('purged');
  if (links.size > 0) meet('links');
  if (held.length > 0) meet('held');
  if (blocked.length > 0) meet('blocked');
  if ([...purged].some((row) => isInCircle(form, purged, row))) meet('circle');
  await judgeRestores(world, purged, fell);
}

async function journaled(batches: readonly BatchId[]): Promise<Map<BatchId, string[]>> {
  const { rows } = await client.query<{ batch: BatchId; row: string }>(
    `select batch_id as batch, table_name || ' ' || key as row from deletion_rows where kind = 'fell'`,
  );
  return new Map(
    batches.map((batch) => [batch, rows.filter((one) => one.batch === batch).map(({ row }) => row)]),
  );
}

/** The journal must go on to tell what has become of a batch: all, some or none of its rows are gone. */
async function judgeRestores(
  { em }: World,
  purged: ReadonlySet<StoredRow>,
  fell: ReadonlyMap<BatchId, readonly string[]>,
) {
  const gone = new Set([...purged].map(({ table, id }) => `public.t${table} ${id}`));
  for (const [batch, rows] of fell) {
    const count = rows.filter((row) => gone.has(row)).length;
    const answer = await restore(em(), batch).then(
      () => 'restored',
      ({ code }: { code: string }) => code,
    );
    meet(answer);
    if (count === rows.length) expect(answer).toBe('DELETION.PURGED_BATCH');
    else if (count > 0) expect(answer).toBe('DELETION.INCOMPLETE_BATCH');
    else expect(['restored', 'DELETION.RESTORE_CONFLICT']).toContain(answer);
  }
}

function isInCircle({ edges }: TrashForm, rows: ReadonlySet<StoredRow>, start: StoredRow): boolean {
  const seen = new Set<StoredRow>();
  const next = [start];
  for (const row of next) {
    for (const { name, child, parent } of edges) {
      if (child !== row.table) continue;
      const up = [...rows].find((one) => one.table === parent && one.id === row.refs[name]);
      if (up === start && row !== start) return true;
      if (up && !seen.has(up)) next.push(up);
      if (up) seen.add(up);
    }
  }
  return false;
}

let runs = 0;

async function inDatabase(
  form: TrashForm,
  work: (world: Omit<World, 'picks'>) => Promise<void>,
): Promise<void> {
  runs += 1;
  await client.query(`${trashSql(form)};${trashKeysSql(form, true)}`);
  const { entities, module } = trashEntities(form, String(runs));
  const orm = await MikroORM.init(defineDataConfig({ clientUrl: url, modules: [module, deletionJournal] }));
  try {
    await checkDeletion(orm.em.fork());
    // Foreign keys that a migration of somebody else has made meanwhile: a purge reads them anew.
    await client.query(trashKeysSql(form, false));
    await work({ form, em: () => orm.em.fork(), entities });
  } finally {
    await orm.close();
    await client.query(`drop table ${form.tables.map((_, index) => `t${index}`).join(', ')} cascade;
      truncate deletion_batches, deletion_entries, deletion_holds`);
  }
}

it(`removes what the model says and nothing else, in random schemas (seed ${SEED})`, async () => {
  await assert(
    asyncProperty(trashForm, nat(), (form, number) =>
      inDatabase(form, async (world) => {
        const picks = new Picks(number);
        for (let round = 0; round < 2; round += 1) {
          await check({ ...world, picks });
          await client.query(`truncate ${form.tables.map((_, index) => `t${index}`).join(', ')} cascade;
            truncate deletion_batches, deletion_entries, deletion_holds`);
        }
      }),
    ),
    { numRuns: RUNS, seed: SEED, interruptAfterTimeLimit: 40_000, markInterruptAsFailure: true },
  );
  // What few schemas meet for certain. Circles of two tables and links are met seldom, and so hardly proved here.
  expect([...met.keys()]).toEqual(expect.arrayContaining(['purged', 'blocked', 'restored']));
});
