import { describeObject, type SchemaObject } from '../../drift/description.ts';
import type { SchemaDifference } from '../../drift/difference.ts';
import type { AlignStep } from './align-step.ts';
import { briefly } from './brief.ts';
import type { Draft } from './draft.ts';
import { type KeyDefinition, keyDefinition } from './index-definition.ts';
import { dropSql, ensureIndex, nameHolder, referencedBy, spares } from './indexes.ts';
import { lastOf, ownerOf, temporary } from './names.ts';

/** Primary keys and unique constraints that are missing or other than expected. */
export async function planKeys(draft: Draft): Promise<void> {
  for (const difference of draft.open('constraint')) {
    const { name, expected } = difference;
    if (expected === undefined) continue;
    const key = keyDefinition({ name, definition: expected });
    const table = await draft.table(ownerOf(name));
    if (key && table && !table.isDivided) await planKey(draft, difference, key);
  }
}

async function planKey(draft: Draft, difference: SchemaDifference, key: KeyDefinition): Promise<void> {
  const { name, expected, actual } = difference;
  const table = ownerOf(name);
  const same = draft
    .liveOf('constraint')
    .find(
      (object) =>
        ownerOf(object.name) === table &&
        object.definition === expected &&
        !draft.target.has(`constraint ${object.name}`) &&
        !draft.isUsed(object),
    );
  const holder = holderOf(draft, name);
  if (holder === 'foreign') return draft.block(difference, 'Another object has the name. Rename it.');
  if (same && !holder) {
    draft.use(same);
    return draft.settle(difference, 'uniques', renameConstraint(same.name, name));
  }
  const primary = primaryKeyOf(draft, table);
  if (key.kind === 'PRIMARY KEY' && primary && primary.name !== holder?.name)
    return draft.block(
      difference,
      `The table has the primary key ${primary.name}: ${primary.definition}. Exchange it by hand.`,
    );
  const spare = spares(draft, key.index).find(({ object }) => object.kind === 'index')?.object;
  const dropped = [
    ...(holder && holder.name !== spare?.name ? [holder] : []),
    ...spares(draft, key.index)
      .filter((twin) => twin.object.kind === 'constraint' && twin.object.name !== holder?.name)
      .map(({ object }) => object),
  ];
  const needed = await referencedBy(draft, dropped);
  if (needed.length > 0)
    return draft.block(
      difference,
      `What stands in its way is needed by ${needed.join(', ')}. Drop these by hand.`,
    );
  for (const object of dropped) if (object.name !== name || actual === undefined) draft.use(object);
  if (spare) draft.use(spare);
  draft.settle(difference, 'uniques', addKey(key, name, expected ?? '', spare, dropped));
}

const primaryKeyOf = (draft: Draft, table: string): SchemaObject | undefined =>
  draft
    .liveOf('constraint')
    .find((object) => ownerOf(object.name) === table && object.definition.startsWith('PRIMARY KEY'));

/** The constraint of that name on the table, or what has the name that its index needs. */
function holderOf(draft: Draft, name: string): SchemaObject | 'foreign' | undefined {
  const table = ownerOf(name);
  const own = draft.live.get(`constraint ${name}`);
  if (own) return own;
  const holder = nameHolder(draft, `${ownerOf(table)}.${lastOf(name)}`, table);
  if (holder === 'foreign' || holder === undefined) return holder;
  // An index that the target wants under this name cannot be: a constraint of the target has it.
  return holder;
}

export function renameConstraint(from: string, name: string): AlignStep {
  const table = ownerOf(name);
  return {
    id: `constraint ${name}: rename`,
    table,
    text: `Rename the constraint ${from} to ${lastOf(name)}: it is the same`,
    lock: 'ACCESS EXCLUSIVE',
    run: (context) =>
      briefly(context, {
        tables: [table],
        lock: 'ACCESS EXCLUSIVE',
        statements: [`ALTER TABLE ${table} RENAME CONSTRAINT ${lastOf(from)} TO ${lastOf(name)}`],
      }),
  };
}

function addKey(
  { kind, index, timing }: KeyDefinition,
  name: string,
  definition: string,
  spare: SchemaObject | undefined,
  dropped: readonly SchemaObject[],
): AlignStep {
  const { table } = index;
  const schema = ownerOf(table);
  const place = temporary(lastOf(name));
  const how = spare
    ? `from the index ${spare.name}, which is the same`
    : 'from an index that is built while the table is in use';
  const instead =
    dropped.length > 0 ? `, in place of ${dropped.map((object) => object.name).join(' and ')}` : '';
  return {
    id: `constraint ${name}: add`,
    table,
    text: `Add the constraint ${name} ${definition} ${how}${instead}`,
    lock: 'ACCESS EXCLUSIVE',
    run: async (context) => {
      if ((await describeObject(context.session, { kind: 'constraint', name })) === definition) return;
      if (!spare) await ensureIndex(context, index, `${schema}.${place}`);
      const using = spare ? lastOf(spare.name) : place;
      await briefly(context, {
        tables: [table],
        lock: 'ACCESS EXCLUSIVE',
        statements: [
          ...dropped.map(dropSql),
          `ALTER TABLE ${table} ADD CONSTRAINT ${lastOf(name)} ${kind} USING INDEX ${using} ${timing}`,
        ],
      });
    },
  };
}
