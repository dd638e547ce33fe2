import type { SchemaObject } from '../../drift/description.ts';
import { keyOf } from '../../drift/difference.ts';
import { dropRemains, indexOnTable } from '../../index-remains.ts';
import type { AlignStep, StepContext } from './align-step.ts';
import { briefly, patiently } from './brief.ts';
import type { Draft } from './draft.ts';
import { placeOf } from './column-indexes.ts';
import { indexDefinition, indexObject } from './index-definition.ts';
import { isTemporary, lastOf, ownerOf, temporary } from './names.ts';

/** What runs that were killed have left and no step will go on with. */
export function planLeftovers(draft: Draft): void {
  const needed = neededNames(draft);
  const left = draft.request.live.filter(({ kind, name }) => {
    if (!['column', 'constraint', 'index', 'trigger', 'function'].includes(kind)) return false;
    const bare = kind === 'function' ? name.slice(0, name.indexOf('(')) : name;
    return isTemporary(bare) && !needed.has(`${kind} ${lastOf(bare)}`);
  });
  for (const difference of ['column', 'constraint', 'index', 'trigger', 'function'].flatMap((kind) =>
    draft.open(kind),
  ))
    if (difference.expected === undefined && isTemporary(difference.name.split('(')[0] ?? ''))
      draft.settle(difference, 'clear');
  for (const object of left) draft.use(object);
  if (left.length > 0) draft.add('clear', clear(left));
}

/** Names that steps of this plan, or of the plan for the rest, will find and use. */
function neededNames(draft: Draft): Set<string> {
  const { target, differences } = draft.request;
  const unsettled = [
    ...differences,
    ...target.filter((object) => draft.live.get(keyOf(object))?.definition !== object.definition),
  ];
  return new Set(
    unsettled.flatMap(({ kind, name }) => {
      const last = lastOf(name);
      if (kind === 'index') return [`index ${temporary(last)}`];
      if (kind === 'constraint') return [`constraint ${temporary(last)}`, `index ${temporary(last)}`];
      if (kind !== 'column') return [];
      const indexes = draft
        .liveOf('index')
        .concat(draft.liveOf('constraint'))
        .filter((object) => indexObject(object)?.index.table === ownerOf(name));
      return [
        `column ${temporary(last)}`,
        ...indexes.map((index) => `index ${placeOf(last, index.name)}`),
        `constraint ${temporary(last, 'fits')}`,
        `trigger ${temporary(last)}`,
        `function ${temporary(lastOf(ownerOf(name)), last)}`,
        `constraint ${temporary(last, 'same')}`,
        `constraint ${temporary(last, 'not_null')}`,
      ];
    }),
  );
}

function clear(left: readonly SchemaObject[]): AlignStep {
  const names = left.map(({ kind, name }) => `${kind} ${name}`).join(', ');
  return {
    id: `clear ${names}`,
    table: left.map(tableOf).find((table) => table !== undefined) ?? '',
    text: `Remove what an adoption has left that was broken off: ${names}`,
    lock: 'ACCESS EXCLUSIVE',
    run: async (context) => {
      for (const object of left) if (object.kind === 'index') await clearIndex(context, object);
      for (const kind of ['trigger', 'function', 'constraint', 'column'])
        for (const object of left.filter((one) => one.kind === kind)) {
          const table = tableOf(object);
          await briefly(context, {
            tables: table === undefined ? [] : [table],
            lock: table === undefined ? 'none' : 'ACCESS EXCLUSIVE',
            statements: [removal(object)],
          });
        }
    },
  };
}

function tableOf({ kind, name, definition }: SchemaObject): string | undefined {
  if (kind === 'function') return undefined;
  return kind === 'index' ? indexDefinition(definition)?.table : ownerOf(name);
}

function removal({ kind, name }: SchemaObject): string {
  switch (kind) {
    case 'trigger':
      return `DROP TRIGGER IF EXISTS ${lastOf(name)} ON ${ownerOf(name)}`;
    case 'function':
      return `DROP FUNCTION IF EXISTS ${name}`;
    default:
      return `ALTER TABLE ${ownerOf(name)} DROP ${kind} IF EXISTS ${lastOf(name)}`;
  }
}

async function clearIndex(context: StepContext, { name, definition }: SchemaObject): Promise<void> {
  const table = indexDefinition(definition)?.table ?? '';
  const found = await indexOnTable(context.session, lastOf(name), table);
  if (found) await patiently(context, () => dropRemains(context.session, found));
}
