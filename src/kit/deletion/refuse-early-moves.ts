import { type ChangeSet, ChangeSetType, helper, Utils } from '@mikro-orm/core';
import { ownDeletionOf } from '../orm/index.ts';
import { DeletionError } from './errors.ts';
import type { DeletionGraph } from './graph.ts';

type AnyChange = ChangeSet<object>;

/** A row that a flush moves away from one which it deletes before: the latter's unique value is taken by a new row. */
export interface EarlyMove {
  readonly change: AnyChange;
  readonly relation: string;
  readonly removed: AnyChange;
}

/** The core deletes such a row in front of everything else, so that what falls with it has fallen when it is to be moved. */
export function earlyMoves(changes: readonly AnyChange[]): EarlyMove[] {
  const early = changes.filter(
    ({ type, meta }) => type === ChangeSetType.DELETE_EARLY && ownDeletionOf(meta.root),
  );
  if (early.length === 0) return [];
  const updates = changes.filter(
    ({ type }) => type === ChangeSetType.UPDATE || type === ChangeSetType.UPDATE_EARLY,
  );
  return updates.flatMap((change) =>
    change.meta.relations
      .filter(({ name }) => name in change.payload)
      .flatMap(({ name, targetMeta }) => {
        const before = (change.originalEntity as Record<string, unknown> | undefined)?.[name];
        const removed = early.find(
          ({ meta, entity }) =>
            meta.root === targetMeta?.root && before != null && keyOf(before) === keyOf(keyIn(entity)),
        );
        return removed ? [{ change, relation: name, removed }] : [];
      }),
  );
}

const keyIn = (entity: object): unknown => helper(entity).getPrimaryKeys(true);

const keyOf = (key: unknown): string =>
  [key]
    .flatMap((part) => (Utils.isPlainObject(part) ? Object.values(part) : part))
    .flat(Infinity)
    .join(Utils.PK_SEPARATOR);

/** @throws DeletionError for a row that would fall, or forbid the deletion, before it is moved. */
export function refuseEarlyMoves(moves: readonly EarlyMove[], graph: DeletionGraph): void {
  for (const { change, relation, removed } of moves) {
    const child = graph.tableOf(change.meta);
    const columns = change.meta.relations.find(({ name }) => name === relation)?.fieldNames ?? [];
    const edge = graph.edges.find(
      (one) => one.child === child && one.columns.every(({ name }) => columns.includes(name)),
    );
    if (!edge || edge.policy === 'unlink' || edge.policy === 'keep') continue;
    throw DeletionError.flushOrder(`${change.meta.className}.${relation}`, removed.meta.className);
  }
}
