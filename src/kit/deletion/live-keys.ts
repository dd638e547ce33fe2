import { escapeIdentifier } from 'pg';
import { LIVE_COLUMN } from '../orm/index.ts';
import type { Catalogue, CatalogueKey, Run } from './catalogue.ts';
import { DeletionError } from './errors.ts';
import type { DeletionGraph, GraphTable, LiveKey } from './graph.ts';

/** Whether a foreign key is the guarantee of a live parent; what becomes of its rows, the key beside it says. */
export const isLiveKey = ({ columns }: Pick<CatalogueKey, 'columns'>): boolean =>
  columns.includes(LIVE_COLUMN);

/** Whether the relation of a foreign key has the guarantee. */
export function isGuarded({ keys }: Catalogue, { child, parent, columns }: CatalogueKey): boolean {
  return keys.some(
    (key) =>
      isLiveKey(key) &&
      key.child === child &&
      key.parent === parent &&
      key.columns.length === columns.length + 1 &&
      columns.every((column) => key.columns.includes(column)),
  );
}

/**
 * The guarantees of a database.
 *
 * @throws DeletionError for one that cannot be deferred: parents are marked before their children.
 */
export function liveKeysOf(
  { keys, tables }: Catalogue,
  graphTables: ReadonlyMap<string, GraphTable>,
): LiveKey[] {
  return keys.filter(isLiveKey).map(({ constraint, child, parent, deferrable }) => {
    const { schema, name } = tables.find(({ oid }) => oid === child) as Catalogue['tables'][number];
    if (!deferrable) {
      throw DeletionError.contradiction(
        name,
        constraint,
        `is not deferrable, and a deletion marks parents before their children. Make it so: ALTER TABLE … ALTER CONSTRAINT ${constraint} DEFERRABLE.`,
      );
    }
    return {
      parent: graphTables.get(parent) as GraphTable,
      sql: [schema, constraint].map(escapeIdentifier).join('.'),
    };
  });
}

/**
 * Does work that marks rows of these tables before what refers to them. The database looks for live parents when it is through, and not
 * at COMMIT, so that a refusal belongs to the call that has earned it.
 */
export async function askingLast<Result>(
  run: Run,
  { liveKeys }: DeletionGraph,
  parents: ReadonlySet<GraphTable>,
  work: () => Promise<Result>,
): Promise<Result> {
  const names = liveKeys.filter(({ parent }) => parents.has(parent)).map(({ sql }) => sql);
  if (names.length === 0) return work();
  const constraints = names.join(', ');
  await run(`set constraints ${constraints} deferred`);
  const result = await work();
  await run(`set constraints ${constraints} immediate`);
  return result;
}
