import { describeObject } from '../../drift/description.ts';
import type { SchemaDifference } from '../../drift/difference.ts';
import type { SchemaObject, SchemaObjectName } from '../../drift/description.ts';
import { dropRemains, indexOnTable } from '../../index-remains.ts';
import { MigrationError } from '../../errors.ts';
import { withRetries } from '../../execution.ts';
import { timeoutsWith } from '../../timeouts.ts';
import type { AlignStep, StepContext } from './align-step.ts';
import { briefly, patiently } from './brief.ts';
import type { Draft } from './draft.ts';
import {
  createIndexSql,
  type IndexDefinition,
  indexDefinition,
  indexObject,
  isInvalid,
  type UniqueObject,
} from './index-definition.ts';
import { isTemporary, lastOf, ownerOf, temporary } from './names.ts';

/** Indexes that are missing or other than expected. */
export async function planIndexes(draft: Draft): Promise<void> {
  for (const difference of draft.open('index')) {
    if (difference.expected === undefined) continue;
    const index = indexDefinition(difference.expected);
    if (!index) continue;
    // The table comes with the same plan, and its indexes with it.
    const table = await draft.table(index.table);
    if (!table || table.isDivided) continue;
    await planIndex(draft, difference, index);
  }
}

async function planIndex(draft: Draft, difference: SchemaDifference, index: IndexDefinition): Promise<void> {
  const { name, actual } = difference;
  const phase = index.isUnique ? 'uniques' : 'indexes';
  const holder = nameHolder(draft, name, index.table);
  if (holder === 'foreign') return draft.block(difference, 'Another object has the name. Rename it.');
  const twins = spares(draft, index);
  const spare = twins.find(({ object }) => object.kind === 'index');
  const dropped = [
    ...(holder ? [holder] : []),
    ...(spare ? [] : twins.filter(({ object }) => object.kind === 'constraint').map(({ object }) => object)),
  ].filter((object, at, all) => all.findIndex((one) => one.name === object.name) === at);
  const needed = await referencedBy(draft, dropped);
  if (needed.length > 0)
    return draft.block(
      difference,
      `What stands in its way is needed by ${needed.join(', ')}. Drop these by hand.`,
    );
  for (const object of [...dropped, ...(spare ? [spare.object] : [])])
    if (object.name !== name || object.kind !== 'index') draft.use(object);
  draft.settle(
    difference,
    phase,
    spare
      ? renameIndex(index, spare.object, name, dropped)
      : buildIndex(index, name, difference.expected ?? '', dropped, actual),
  );
}

/** Live objects of the same shape that the target does not have under their own name; each can be used once. */
export function spares(draft: Draft, { shape }: IndexDefinition): UniqueObject[] {
  return [...draft.liveOf('index'), ...draft.liveOf('constraint')].flatMap((object) => {
    if (isWanted(draft, object) || draft.isUsed(object) || isInvalid(object.definition)) return [];
    const found = indexObject(object);
    return found?.index.shape === shape && found.key?.kind !== 'PRIMARY KEY' ? [found] : [];
  });
}

const isWanted = (draft: Draft, { kind, name }: SchemaObjectName): boolean =>
  draft.target.has(`${kind} ${name}`) || isTemporary(name);

/** What has the name of an index already: an index or a constraint of the table, which can make room, or something else. */
export function nameHolder(draft: Draft, name: string, table: string): SchemaObject | 'foreign' | undefined {
  const constraint = draft
    .liveOf('constraint')
    .find(
      (object) => indexObject(object) && `${ownerOf(ownerOf(object.name))}.${lastOf(object.name)}` === name,
    );
  const index = draft.live.get(`index ${name}`);
  if (constraint)
    return ownerOf(constraint.name) === table && !isWanted(draft, constraint) ? constraint : 'foreign';
  if (index) return indexDefinition(index.definition)?.table === table ? index : 'foreign';
  const isTaken = ['table', 'view', 'sequence'].some((kind) => draft.live.has(`${kind} ${name}`));
  return isTaken ? 'foreign' : undefined;
}

/** Foreign keys that rely on what shall be dropped. */
export async function referencedBy(draft: Draft, objects: readonly SchemaObject[]): Promise<string[]> {
  const names = objects.map(({ kind, name }) =>
    kind === 'index' ? name : `${ownerOf(ownerOf(name))}.${lastOf(name)}`,
  );
  if (names.length === 0) return [];
  const rows = await draft.request.session.query<{ name: string }>(
    `select conrelid::regclass || '.' || quote_ident(conname) as name from pg_catalog.pg_constraint
      where contype = 'f' and conindid = any (array(select to_regclass(i)::oid from unnest($1::text[]) i)) order by 1`,
    [names],
  );
  return rows.map(({ name }) => name);
}

/** The statement that takes an index or a constraint away. */
export function dropSql({ kind, name }: SchemaObjectName): string {
  return kind === 'constraint'
    ? `ALTER TABLE ${ownerOf(name)} DROP CONSTRAINT IF EXISTS ${lastOf(name)}`
    : `DROP INDEX IF EXISTS ${name}`;
}

function renameIndex(
  { table }: IndexDefinition,
  from: SchemaObject,
  name: string,
  dropped: readonly SchemaObject[],
): AlignStep {
  const lock = dropped.length > 0 ? 'ACCESS EXCLUSIVE' : 'none';
  return {
    id: `index ${name}: rename`,
    table,
    text: `Rename the index ${from.name} to ${name}: it is the same`,
    lock,
    run: (context) =>
      briefly(context, {
        tables: [table],
        lock,
        statements: [...dropped.map(dropSql), `ALTER INDEX ${from.name} RENAME TO ${lastOf(name)}`],
      }),
  };
}

function buildIndex(
  index: IndexDefinition,
  name: string,
  definition: string,
  dropped: readonly SchemaObject[],
  actual: string | undefined,
): AlignStep {
  const others = dropped.filter((object) => !(object.kind === 'index' && isInvalid(object.definition)));
  const instead = others.length > 0 ? `, then drop ${others.map((object) => object.name).join(' and ')}` : '';
  const again = actual !== undefined && isInvalid(actual) ? ' anew, a build was broken off' : '';
  return {
    id: `index ${name}: build`,
    table: index.table,
    text: `Build the index ${name}${again} while the table is in use${instead}`,
    lock: others.length > 0 ? 'ACCESS EXCLUSIVE' : 'SHARE UPDATE EXCLUSIVE',
    run: async (context) => {
      const { session } = context;
      if ((await describeObject(session, { kind: 'index', name })) === definition) return;
      if (others.length === 0) return ensureIndex(context, index, name);
      const place = `${ownerOf(name)}.${temporary(lastOf(name))}`;
      await ensureIndex(context, index, place);
      await briefly(context, {
        tables: [index.table],
        lock: 'ACCESS EXCLUSIVE',
        statements: [...others.map(dropSql), `ALTER INDEX ${place} RENAME TO ${lastOf(name)}`],
      });
    },
  };
}

/** Builds an index under a name that is free, or held by what an earlier build has left. */
export async function ensureIndex(context: StepContext, index: IndexDefinition, name: string): Promise<void> {
  const { session } = context;
  const found = await indexOnTable(session, lastOf(name), index.table);
  if (found?.isValid) {
    const definition = (await describeObject(session, { kind: 'index', name })) ?? '';
    if (indexDefinition(definition)?.shape === index.shape) return;
  }
  // Two builds may wait for each other; the one that gave way has left something that is invalid.
  await patiently(context, () =>
    withRetries({ name: '' }, { timeouts: timeoutsWith(), tell: () => undefined }, () =>
      build(context, index, name),
    ),
  );
  const built = await indexOnTable(session, lastOf(name), index.table);
  if (built?.isValid) return;
  throw new MigrationError('MIGRATION.FAILED', `The index ${name} is not usable after its build. Run again.`);
}

async function build({ session }: StepContext, index: IndexDefinition, name: string): Promise<void> {
  const found = await indexOnTable(session, lastOf(name), index.table);
  if (found) await dropRemains(session, found);
  try {
    await session.run(createIndexSql(index, name));
  } catch (error) {
    // It would be kept by every write, and a unique one would even refuse some, though it is no good.
    const left = await indexOnTable(session, lastOf(name), index.table).catch(() => undefined);
    if (left && !left.isValid) await dropRemains(session, left).catch(() => undefined);
    throw error;
  }
}
