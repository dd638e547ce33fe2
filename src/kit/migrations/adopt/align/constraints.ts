import { describeObject, type SchemaObject } from '../../drift/description.ts';
import type { SchemaDifference } from '../../drift/difference.ts';
import type { AlignStep, StepContext } from './align-step.ts';
import { briefly, patiently } from './brief.ts';
import type { Draft } from './draft.ts';
import { foreignKeyDefinition, NOT_VALID, validated } from './foreign-key-definition.ts';
import { referencedBy } from './indexes.ts';
import { renameConstraint } from './keys.ts';
import { isTemporary, lastOf, ownerOf, temporary } from './names.ts';

/** Foreign keys and checks that are missing or other than expected. */
export async function planConstraints(draft: Draft): Promise<void> {
  for (const difference of draft.open('constraint')) {
    const { name, expected } = difference;
    if (expected === undefined || !/^(?:FOREIGN KEY|CHECK) /.test(expected)) continue;
    const table = await draft.table(ownerOf(name));
    // The table comes with the same plan: what could not be made with it follows here.
    if (table ? !table.isDivided : !draft.live.has(`table ${ownerOf(name)}`))
      await planOne(draft, difference);
  }
}

async function planOne(draft: Draft, difference: SchemaDifference): Promise<void> {
  const { name, actual } = difference;
  const expected = difference.expected ?? '';
  const same = replaceable(draft, name).find(({ definition }) => definition === expected);
  const replaced = replacedBy(draft, name, expected);
  if (same && actual === undefined) {
    draft.use(same);
    const rest = replaced.filter((object) => object !== same);
    for (const object of rest) draft.use(object);
    return draft.settle(
      difference,
      'constraints',
      renameConstraint(same.name, name),
      ...(rest.length > 0 ? [addConstraint(name, expected, actual, rest)] : []),
    );
  }
  const holder =
    actual === undefined || validated(actual) === expected ? undefined : draft.live.get(`constraint ${name}`);
  const needed = await referencedBy(draft, holder ? [holder] : []);
  if (needed.length > 0)
    return draft.block(
      difference,
      `What has its name is needed by ${needed.join(', ')}. Drop these by hand.`,
    );
  for (const object of replaced) draft.use(object);
  draft.settle(
    difference,
    'constraints',
    addConstraint(name, expected, actual, [...(holder ? [holder] : []), ...replaced]),
  );
}

/** Constraints of the table that the target does not have under their own names. */
function replaceable(draft: Draft, name: string): SchemaObject[] {
  const table = ownerOf(name);
  return draft
    .liveOf('constraint')
    .filter(
      (object) =>
        ownerOf(object.name) === table &&
        object.name !== name &&
        !isTemporary(object.name) &&
        !draft.target.has(`constraint ${object.name}`) &&
        !draft.isUsed(object),
    );
}

/** Foreign keys of the same columns to the same table: two with different actions would do both. */
function replacedBy(draft: Draft, name: string, expected: string): SchemaObject[] {
  const wanted = foreignKeyDefinition(expected);
  if (!wanted) return [];
  return replaceable(draft, name).filter(({ definition }) => {
    const found = foreignKeyDefinition(definition);
    return found?.parent === wanted.parent && found.columns.join() === wanted.columns.join();
  });
}

/** @param dropped what goes when it is there; the constraint of its own name among them, if that is another one. */
function addConstraint(
  name: string,
  definition: string,
  actual: string | undefined,
  dropped: readonly SchemaObject[],
): AlignStep {
  const table = ownerOf(name);
  const parent = foreignKeyDefinition(definition)?.parent;
  const instead =
    dropped.length > 0 ? `, in place of ${dropped.map((object) => object.name).join(' and ')}` : '';
  const isThere = actual !== undefined && validated(actual) === definition;
  return {
    id: `constraint ${name}: add`,
    table,
    text: isThere
      ? `Validate the constraint ${name}${instead}`
      : `Add the constraint ${name} ${definition}, validated while the table is in use${instead}`,
    lock: dropped.length > 0 || !parent ? 'ACCESS EXCLUSIVE' : 'SHARE ROW EXCLUSIVE',
    run: async (context) => {
      const isHeld = dropped.some((object) => object.name === name);
      const isDone = (await describeObject(context.session, { kind: 'constraint', name })) === definition;
      const place = isHeld && !isDone ? temporary(lastOf(name)) : lastOf(name);
      if (!isDone) await ensureConstraint(context, `${table}.${place}`, definition);
      await exchange(context, name, place, dropped);
    },
  };
}

/** Adds it for new rows, and then has the old ones read while everybody works. */
export async function ensureConstraint(
  context: StepContext,
  name: string,
  definition: string,
): Promise<void> {
  const { session } = context;
  const table = ownerOf(name);
  const parent = foreignKeyDefinition(definition)?.parent;
  const isUnchecked = definition.endsWith(NOT_VALID);
  const found = await describeObject(session, { kind: 'constraint', name });
  if (found === definition) return;
  const add = `ALTER TABLE ${table} ADD CONSTRAINT ${lastOf(name)} ${validated(definition)}${NOT_VALID}`;
  if (found === undefined || validated(found) !== validated(definition))
    await briefly(context, {
      tables: parent && parent !== table ? [table, parent] : [table],
      lock: parent ? 'SHARE ROW EXCLUSIVE' : 'ACCESS EXCLUSIVE',
      statements: [`ALTER TABLE ${table} DROP CONSTRAINT IF EXISTS ${lastOf(name)}`, add].slice(
        found === undefined ? 1 : 0,
      ),
    });
  if (isUnchecked) return;
  try {
    await patiently(context, () => session.run(`ALTER TABLE ${table} VALIDATE CONSTRAINT ${lastOf(name)}`));
  } catch (error) {
    // Rows stand against it; programs would meet a constraint that the plan has not brought.
    await dropConstraint(context, name).catch(() => undefined);
    throw error;
  }
}

export const dropConstraint = (context: StepContext, name: string): Promise<void> =>
  briefly(context, {
    tables: [ownerOf(name)],
    lock: 'ACCESS EXCLUSIVE',
    statements: [`ALTER TABLE ${ownerOf(name)} DROP CONSTRAINT IF EXISTS ${lastOf(name)}`],
  });

async function exchange(
  context: StepContext,
  name: string,
  place: string,
  dropped: readonly SchemaObject[],
): Promise<void> {
  const table = ownerOf(name);
  const isRenamed = place !== lastOf(name);
  const others = isRenamed ? dropped : dropped.filter((object) => object.name !== name);
  if (others.length === 0 && !isRenamed) return;
  const parents = dropped.flatMap(({ definition }) => foreignKeyDefinition(definition)?.parent ?? []);
  await briefly(context, {
    // Dropping a foreign key locks its parent too.
    tables: [...new Set([table, ...parents])],
    lock: 'ACCESS EXCLUSIVE',
    statements: [
      ...others.map((object) => `ALTER TABLE ${table} DROP CONSTRAINT IF EXISTS ${lastOf(object.name)}`),
      ...(isRenamed ? [`ALTER TABLE ${table} RENAME CONSTRAINT ${place} TO ${lastOf(name)}`] : []),
    ],
  });
}
