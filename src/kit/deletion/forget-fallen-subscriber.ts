import {
  ChangeSetType,
  type EntityMetadata,
  type EventSubscriber,
  type FlushEventArgs,
  type UnitOfWork,
} from '@mikro-orm/core';
import { type DataEntityManager, ownDeletionOf } from '../orm/index.ts';
import { currentScope, guardsWrites, REMOVALS_ONLY } from '../soft-delete/index.ts';
import { forgetFallen } from './forget-fallen.ts';
import type { DeletionGraph } from './graph.ts';
import { graphOf, runOf } from './graph-of.ts';
import { earlyMoves, refuseEarlyMoves } from './refuse-early-moves.ts';

const graphIn = (em: DataEntityManager): Promise<DeletionGraph> =>
  graphOf(em.getDriver(), runOf(em.fork({ keepTransactionContext: true })), em.schema);

/**
 * Takes what has fallen because of a flush's removals out of the identity map; what was removed itself leaves it by the core. And
 * refuses a flush whose order would let rows fall that it moves.
 */
export class ForgetFallen implements EventSubscriber {
  readonly [REMOVALS_ONLY] = true;
  readonly #removed = new WeakMap<UnitOfWork, Set<EntityMetadata>>();

  async onFlush({ uow, em }: FlushEventArgs): Promise<void> {
    this.#removed.delete(uow);
    if (!guardsWrites(currentScope())) return;
    const moves = earlyMoves(uow.getChangeSets());
    if (moves.length > 0) refuseEarlyMoves(moves, await graphIn(em as unknown as DataEntityManager));
    const metas = uow
      .getChangeSets()
      .filter(({ type }) => type === ChangeSetType.DELETE || type === ChangeSetType.DELETE_EARLY)
      .map(({ meta }) => meta.root as EntityMetadata)
      .filter((meta) => ownDeletionOf(meta));
    if (metas.length > 0) this.#removed.set(uow, new Set(metas));
  }

  async afterFlush({ uow, em }: FlushEventArgs): Promise<void> {
    const removed = this.#removed.get(uow);
    if (!removed) return;
    this.#removed.delete(uow);
    const own = em as unknown as DataEntityManager;
    const graph = await graphIn(own);
    for (const meta of removed) {
      const root = graph.tableOf(meta);
      if (root) await forgetFallen(own, graph, root, runOf(own));
    }
  }
}
