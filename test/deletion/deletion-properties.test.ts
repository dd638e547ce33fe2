import { type EntityClass, MikroORM } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { array, assert, asyncProperty, constantFrom, nat, record } from 'fast-check';
import type { Client } from 'pg';
import { type DataEntityManager, defineDataConfig, deletionJournal } from 'tombstone';
import {
  batchId,
  deleteRows,
  explainDelete,
  previewRestore,
  restore,
  withDeletionContext,
} from 'tombstone/deletion';
import { connect } from '../kit/fixtures/backstop.ts';
import { DeletionModel, type ModelRow } from './fixtures/deletion-model.ts';
import { guarantee, softTables } from './fixtures/guarantee.ts';
import { databaseWith } from './fixtures/music.ts';
import {
  entitiesOf,
  type Row,
  type SchemaForm,
  schemaForm,
  sqlOf,
  tableName,
} from './fixtures/random-schema.ts';

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 60);
const SEED = Number(process.env['PROPERTY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

let url: string;
let client: Client;
beforeAll(async () => {
  url = await databaseWith('select 1');
  client = await connect(url);
});
afterAll(() => client.end());

interface World {
  readonly em: DataEntityManager;
  readonly form: SchemaForm;
  readonly model: DeletionModel;
  readonly entities: readonly EntityClass<Row>[];
}

interface Step {
  readonly verb: keyof typeof VERBS;
  readonly table: number;
  readonly picks: readonly number[];
}

const codeOf = async <T>(work: Promise<T>): Promise<T | string> =>
  work.catch((error: unknown) => {
    const { code } = error as { code?: string };
    if (code?.startsWith('DELETION.')) return code;
    throw error;
  });

const pick = <T>(all: readonly T[], at: number): T | undefined => all[at % Math.max(1, all.length)];

let made = 0;
/** How often each answer was met: a property that meets only one of them says little. */
const met = new Map<string, number>();
const meet = (what: string): unknown => met.set(what, (met.get(what) ?? 0) + 1);

async function insert({ form, model }: World, { table, picks }: Step): Promise<void> {
  const at = table % form.tables.length;
  made += 1;
  const number = String(made);
  const id = form.tables[at]?.textKey ? `k${number}` : number;
  const own = form.edges.filter(({ child }) => child === at);
  const row: ModelRow = { table: at, id, refs: {}, dead: undefined };
  for (const [index, edge] of own.entries()) {
    const choice = picks[index % picks.length] ?? 0;
    const live = model.live(edge.parent);
    row.refs[edge.name] =
      choice % 4 === 0 ? null : (pick([...live, ...(edge.parent === at ? [row] : [])], choice)?.id ?? null);
  }
  const columns = ['id', ...own.map(({ name }) => `${name}_id`)];
  const values = [id, ...own.map(({ name }) => row.refs[name])];
  await client.query(
    `insert into ${tableName(at)} (${columns.join(', ')}) values (${columns.map((_, index) => `$${index + 1}`).join(', ')})`,
    values,
  );
  model.rows.push(row);
}

/** Deletes in each of the ways that a program has, and compares with the plan and the model. */
async function remove({ em, form, model, entities }: World, { table, picks }: Step): Promise<void> {
  const soft = form.tables.filter((one) => one.soft).length;
  const at = table % soft;
  const roots = [...new Set(picks.slice(0, 3).flatMap((one) => pick(model.live(at), one) ?? []))];
  const ids = roots.map(({ id }) => id);
  const entity = entities[at] as EntityClass<Row>;
  const own = em.fork();
  const plan = await explainDelete(own, entity, { id: { $in: ids } });
  const way = (picks[0] ?? 0) % 3;
  const outcome = await codeOf(
    withDeletionContext({ actor: 'model' }, async (context) => {
      if (way === 0) return (await deleteRows(own, entity, { id: { $in: ids } })).batch;
      if (way === 1) await own.nativeDelete(entity, { id: { $in: ids } });
      else {
        for (const row of await own.find(entity, { id: { $in: ids } })) own.remove(row);
        await own.flush();
      }
      return context.batches[0];
    }),
  );
  const expected = model.remove(roots);
  if (typeof expected === 'string' || expected === undefined) {
    meet(`remove ${expected}`);
    expect(outcome).toBe(expected);
    expect(plan.blockers.length > 0).toBe(expected !== undefined);
    return;
  }
  expect(outcome).toMatch(/^[0-9a-f-]{36}$/);
  expected.id = outcome as string;
  for (const what of ['fell', 'unlinked', 'removed'] as const) if (expected[what].length > 0) meet(what);
  expect(plan.blockers).toEqual([]);
  const fell = expected.fell.map((row) => `public.${tableName(row.table)}`);
  expect(plan.rows).toEqual(
    Object.fromEntries([...new Set(fell)].map((name) => [name, fell.filter((one) => one === name).length])),
  );
  // A restored row of the same entity manager would be found by key.
  for (const row of expected.fell.filter((one) => one.table === at))
    expect(await own.findOne(entity, row.id)).toBeNull();
}

async function bringBack({ em, model }: World, { picks }: Step): Promise<void> {
  const batch = pick(model.batches, picks[0] ?? 0);
  if (!batch) return;
  const id = batchId(batch.id);
  const preview = await previewRestore(em.fork(), id);
  const outcome = await codeOf(restore(em.fork(), id));
  const expected = model.restore(batch);
  meet(`restore ${expected}`);
  expect(typeof outcome === 'string' ? outcome : 'done').toBe(expected);
  expect(preview.restorable).toBe(expected === 'done');
}

async function purge({ model }: World, { picks }: Step): Promise<void> {
  const row = pick(
    model.rows.filter(({ dead }) => dead),
    picks[0] ?? 0,
  );
  if (row && model.purge(row))
    await client.query(`delete from ${tableName(row.table)} where id = $1`, [row.id]);
}

const VERBS = { insert, remove, bringBack, purge };

const step = record({
  verb: constantFrom<(keyof typeof VERBS)[]>(
    'insert',
    'insert',
    'insert',
    'remove',
    'remove',
    'bringBack',
    'bringBack',
    'purge',
  ),
  table: nat(20),
  picks: array(nat(1000), { minLength: 4, maxLength: 4 }),
});

/** Every row of the database, in the form of the model. */
async function stored({ tables, edges }: SchemaForm): Promise<object[]> {
  const found: object[] = [];
  for (const [table, { soft }] of tables.entries()) {
    const own = edges.filter(({ child }) => child === table);
    const { rows } = await client.query<Record<string, unknown>>(
      `select t.*, ${soft ? 'deleted_at is not null' : 'false'} as dead from ${tableName(table)} t`,
    );
    for (const row of rows) {
      found.push({
        table,
        id: row['id'],
        refs: Object.fromEntries(own.map(({ name }) => [name, row[`${name}_id`]])),
        dead: row['dead'],
      });
    }
  }
  return found;
}

const sorted = (rows: readonly object[]): string[] => rows.map((row) => JSON.stringify(row)).toSorted();

const ANSWERS = [
  'fell',
  'unlinked',
  'removed',
  'guarantee plain',
  'guarantee online',
  'remove undefined',
  'remove DELETION.RESTRICTED',
  'restore done',
  'restore DELETION.ALREADY_RESTORED',
  'restore DELETION.INCOMPLETE_BATCH',
  'restore DELETION.PURGED_BATCH',
  'restore DELETION.RESTORE_CONFLICT',
];

let runs = 0;

/** The policies must do the same where the database itself keeps live parents. */
const GUARANTEES = ['none', 'plain', 'online'] as const;

async function guaranteeAll(
  { tables, edges }: SchemaForm,
  how: (typeof GUARANTEES)[number] = 'none',
): Promise<void> {
  if (how === 'none') return;
  const model = softTables(...tables.flatMap(({ soft }, index) => (soft ? [tableName(index)] : [])));
  for (const { name, child, parent, policy } of edges) {
    if (!tables[child]?.soft || !tables[parent]?.soft || policy === 'keep') continue;
    await guarantee(client, url, name, { model, online: how === 'online' });
    meet(`guarantee ${how}`);
  }
}

async function inSchema(form: SchemaForm, work: (world: World) => Promise<void>): Promise<void> {
  runs += 1;
  await client.query(sqlOf(form));
  await guaranteeAll(form, GUARANTEES[runs % GUARANTEES.length]);
  const { entities, module } = entitiesOf(form, String(runs));
  const orm = await MikroORM.init(defineDataConfig({ clientUrl: url, modules: [module, deletionJournal] }));
  try {
    await work({ em: orm.em.fork(), form, model: new DeletionModel(form), entities });
  } finally {
    await orm.close();
    await client.query(
      form.tables
        .map(
          (_, index) =>
            `drop table ${tableName(index)} cascade; drop function if exists ${tableName(index)}_tombstone_live`,
        )
        .join(';'),
    );
  }
}

it(`deletes and restores in random schemas as the model does, cycles included (seed ${SEED})`, async () => {
  await assert(
    asyncProperty(schemaForm, array(step, { minLength: 10, maxLength: 40 }), async (form, steps) => {
      await inSchema(form, async (world) => {
        for (let index = 0; index < 8; index += 1) {
          await insert(world, { verb: 'insert', table: index, picks: [index, index + 1, 3, 5] });
        }
        for (const one of steps as Step[]) {
          await VERBS[one.verb](world, one);
          const expected = world.model.rows.map(({ table, id, refs, dead }) => ({
            table,
            id,
            refs,
            dead: dead !== undefined,
          }));
          expect(sorted(await stored(form))).toEqual(sorted(expected));
        }
      });
    }),
    // Shrinking has an end, so that a counterexample is shown before the time of the test is over.
    { numRuns: RUNS, seed: SEED, interruptAfterTimeLimit: 400_000, markInterruptAsFailure: true },
  );
  expect([...met.keys()]).toEqual(expect.arrayContaining(ANSWERS));
}, 600_000);
