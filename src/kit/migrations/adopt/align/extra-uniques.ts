import { keyOf } from '../../drift/difference.ts';
import type { AlignStep } from './align-step.ts';
import { briefly } from './brief.ts';
import type { Draft } from './draft.ts';
import { type IndexDefinition, indexKeys, indexObject, type UniqueObject } from './index-definition.ts';
import { dropSql, referencedBy } from './indexes.ts';
import { isTemporary } from './names.ts';

/**
 * Uniques over all rows in which the target has one over some: they refuse rows that ours allow, such as the address of a
 * deleted user that comes back. They go when the partial one is there.
 */
export async function planExtraUniques(draft: Draft): Promise<void> {
  const partial = draft.request.target.flatMap((object) => {
    const found = object.kind === 'index' ? indexObject(object) : undefined;
    const isThere = draft.live.get(keyOf(object))?.definition === object.definition;
    const comes = draft.request.differences.some((each) => keyOf(each) === keyOf(object));
    return found?.index.isUnique && indexKeys(found.index).predicate && (isThere || comes) ? [found] : [];
  });
  for (const found of extras(draft)) {
    const narrower = partial.find(({ index }) => isOver(found.index, index));
    if (!narrower) continue;
    const needed = await referencedBy(draft, [found.object]);
    const difference = { ...found.object, expected: undefined, actual: found.object.definition };
    if (needed.length > 0) {
      draft.block(
        difference,
        `It refuses rows that ${narrower.object.name} allows, and is needed by ${needed.join(', ')}. Drop these by hand.`,
      );
      continue;
    }
    draft.use(found.object);
    draft.settle(difference, 'removals', drop(found, narrower));
  }
}

function extras(draft: Draft): UniqueObject[] {
  return [...draft.liveOf('index'), ...draft.liveOf('constraint')].flatMap((object) => {
    if (draft.target.has(keyOf(object)) || draft.isUsed(object) || isTemporary(object.name)) return [];
    const found = indexObject(object);
    const isWhole = found?.index.isUnique && indexKeys(found.index).predicate === undefined;
    return isWhole && found.key?.kind !== 'PRIMARY KEY' ? [found] : [];
  });
}

/** Whether both are about the same columns, in whatever order. */
function isOver(one: IndexDefinition, other: IndexDefinition): boolean {
  const sorted = (index: IndexDefinition): string => indexKeys(index).keys.toSorted().join(', ');
  return one.table === other.table && sorted(one) === sorted(other);
}

function drop({ object, index }: UniqueObject, { object: narrower }: UniqueObject): AlignStep {
  const { kind, name } = object;
  return {
    id: `${kind} ${name}: drop`,
    table: index.table,
    text: `Drop the unique ${kind} ${name}: it refuses rows that ${narrower.name} allows`,
    lock: 'ACCESS EXCLUSIVE',
    run: (context) =>
      briefly(context, { tables: [index.table], lock: 'ACCESS EXCLUSIVE', statements: [dropSql(object)] }),
  };
}
