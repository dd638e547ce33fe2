import type { SchemaDifference } from '../../drift/difference.ts';
import type { AlignStep } from './align-step.ts';
import { briefly } from './brief.ts';
import type { Draft } from './draft.ts';
import { foreignKeyDefinition } from './foreign-key-definition.ts';
import { indexDefinition } from './index-definition.ts';
import { dropSql, referencedBy } from './indexes.ts';
import { lastOf, ownerOf } from './names.ts';

/** Objects that shall go, as far as no row goes with them. */
export async function planRemovals(draft: Draft): Promise<void> {
  for (const kind of ['index', 'constraint', 'trigger', 'view'])
    for (const difference of draft.open(kind)) {
      const { name, expected, actual } = difference;
      if (expected !== undefined || actual === undefined) continue;
      if (draft.isUsed(difference)) {
        draft.settle(difference, 'removals');
        continue;
      }
      const needed = await referencedBy(draft, [{ kind, name, definition: actual }]);
      if (needed.length === 0 && !actual.startsWith('materialized'))
        draft.settle(difference, 'removals', remove(difference));
    }
}

function remove({ kind, name, actual = '' }: SchemaDifference): AlignStep {
  const table =
    kind === 'index' ? (indexDefinition(actual)?.table ?? '') : kind === 'view' ? name : ownerOf(name);
  const parent = foreignKeyDefinition(actual)?.parent;
  const tables = [...new Set([table, ...(parent ? [parent] : [])])].filter(
    (each) => each !== '' && kind !== 'view',
  );
  return {
    id: `${kind} ${name}: drop`,
    table,
    text: `Drop the ${kind} ${name}`,
    lock: 'ACCESS EXCLUSIVE',
    run: (context) =>
      briefly(context, { tables, lock: 'ACCESS EXCLUSIVE', statements: [removalSql(kind, name)] }),
  };
}

function removalSql(kind: string, name: string): string {
  if (kind === 'view') return `DROP VIEW IF EXISTS ${name}`;
  if (kind === 'trigger') return `DROP TRIGGER IF EXISTS ${lastOf(name)} ON ${ownerOf(name)}`;
  return dropSql({ kind, name });
}
