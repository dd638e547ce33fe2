import {
  CommitOrderCalculator,
  type EntityManager,
  type EntityMetadata,
  EventType,
  helper,
  type LoggingOptions,
  OptimisticLockError,
  TransactionEventBroadcaster,
  type UnitOfWork,
  Utils,
} from '@mikro-orm/core';
import { SoftDeletedRowError } from '../errors/index.ts';
import { REMOVALS_ONLY } from '../soft-delete/index.ts';
import { flushesQuickly } from './layer-options.ts';
import { LEAVE, type QuickChange, quickChanges } from './quick-changes.ts';
import {
  inLockOrder,
  type QuickAnswer,
  type QuickUpdate,
  quickUpdate,
  sendQuickUpdate,
} from './quick-update.ts';
import { keepChanges } from './quick-results.ts';
import { keysOf } from './written-rows.ts';

/** Steps of the core that it marks as private; `extension-points.test.ts` holds their shape. */
interface Steps {
  doCommit(): Promise<void>;
  takeCollectionSnapshots(entity: object, visited: Set<object>): void;
}

interface Context {
  readonly _id: string;
  readonly schema?: string;
  getLoggerContext(options: object): LoggingOptions;
  getAbortOptions(): { signal?: unknown; inflightQueryAbortStrategy?: unknown } | undefined;
  getTransactionSessionContext(): object | undefined;
}

/**
 * Lets a flush that has only plain changes of loaded entities to write do that with one statement a class, and without the
 * core's change sets, each of which takes four snapshots of its entity. Everything else is left to the core's own flush, and so
 * is everything that somebody listens to.
 */
export function flushQuickly(em: EntityManager): void {
  if (!flushesQuickly(em.config)) return;
  const uow = em.getUnitOfWork(false);
  const steps = uow as unknown as Steps;
  const doCommit = steps.doCommit.bind(uow);
  steps.doCommit = () => quickCommit(em, uow, doCommit);
}

function quickCommit(em: EntityManager, uow: UnitOfWork, doCommit: () => Promise<void>): Promise<void> {
  if (!hasOnlyLoaded(em, uow) || isWatched(em)) return doCommit();
  const changes = quickChanges(em);
  if (changes === LEAVE) return doCommit();
  if (changes.length === 0) return Promise.resolve();
  const isAlone = canBeAlone(em);
  const updates = updatesOf(em, changes, isAlone);
  if (!updates) return doCommit();
  const [first, ...others] = updates;
  if (first && others.length === 0 && isAlone) return commitAlone(em, first, doCommit);
  const inTransaction = isAlone ? updatesOf(em, changes, false) : updates;
  return inTransaction ? commitAll(em, inTransaction) : doCommit();
}

/** Nothing to insert, to remove or to link. */
function hasOnlyLoaded(em: EntityManager, uow: UnitOfWork): boolean {
  const isEmpty =
    uow.getRemoveStack().size === 0 &&
    uow.getOrphanRemoveStack().size === 0 &&
    uow.getExtraUpdates().size === 0 &&
    uow.getCollectionUpdates().length === 0;
  if (!isEmpty || !em.config.get('useBatchUpdates', true)) return false;
  const { signal, inflightQueryAbortStrategy } = (em as unknown as Context).getAbortOptions() ?? {};
  if (signal != null || inflightQueryAbortStrategy != null) return false;
  for (const entity of uow.getPersistStack() as Set<object>) {
    if (uow.getIdentityMap().getByEntity(entity) !== entity) return false;
  }
  return true;
}

const FLUSH_EVENTS = ['beforeFlush', 'onFlush', 'afterFlush'] as const;

/** By a subscriber that may ask for the change sets, or change them. */
function isWatched(em: EntityManager): boolean {
  for (const subscriber of em.getEventManager().getSubscribers()) {
    if (REMOVALS_ONLY in subscriber) continue;
    if (FLUSH_EVENTS.some((event) => event in subscriber)) return true;
  }
  return false;
}

const TRANSACTION_EVENTS = [
  EventType.beforeTransactionStart,
  EventType.afterTransactionStart,
  EventType.beforeTransactionCommit,
  EventType.afterTransactionCommit,
] as const;

/** One statement is atomic by itself, so that BEGIN and COMMIT would be two round trips for nothing. */
function canBeAlone(em: EntityManager): boolean {
  if (em.isInTransaction() || (em as unknown as Context).getTransactionSessionContext()) return false;
  for (const subscriber of em.getEventManager().getSubscribers()) {
    if (TRANSACTION_EVENTS.some((event) => event in subscriber)) return false;
  }
  return true;
}

/** In the order of the core: by class, as foreign keys demand, then by schema, then in batches. */
function updatesOf(
  em: EntityManager,
  changes: readonly QuickChange[],
  isAlone: boolean,
): QuickUpdate[] | undefined {
  const groups = new Map<EntityMetadata, Map<string | undefined, QuickChange[]>>();
  for (const change of changes) {
    const { meta, entity } = change;
    const schema = helper(entity).__schema ?? (em as unknown as Context).schema ?? meta.schema;
    const bySchema = groups.get(meta) ?? new Map<string | undefined, QuickChange[]>();
    groups.set(meta, bySchema);
    const group = bySchema.get(schema);
    if (group) group.push(change);
    else bySchema.set(schema, [change]);
  }
  const size = em.config.get('batchSize');
  const updates: QuickUpdate[] = [];
  for (const meta of inCommitOrder([...groups.keys()])) {
    for (const [schema, unordered] of groups.get(meta) ?? []) {
      const group = inLockOrder(em, unordered);
      if (!group) return undefined;
      for (let start = 0; start < group.length; start += size) {
        const update = quickUpdate(em, group.slice(start, start + size), schema, isAlone);
        if (!update) return undefined;
        updates.push(update);
      }
    }
  }
  return updates;
}

function inCommitOrder(classes: readonly EntityMetadata[]): readonly EntityMetadata[] {
  if (classes.length < 2) return classes;
  const calculator = new CommitOrderCalculator();
  const byId = new Map(classes.map((meta) => [meta._id, meta]));
  for (const id of byId.keys()) calculator.addNode(id);
  for (const meta of classes) {
    for (const prop of meta.relations) calculator.discoverProperty(prop, meta._id);
  }
  // oxlint-disable-next-line unicorn/no-array-sort -- of a graph
  return calculator.sort().map((id) => byId.get(id) as EntityMetadata);
}

function loggerContextOf(em: EntityManager): LoggingOptions {
  const own = em as unknown as Context;
  return Utils.merge({ id: own._id }, own.getLoggerContext({ disableContextResolution: true }));
}

/** A row that is not there makes the statement fail; the core's flush then finds out which, and says so. */
async function commitAlone(
  em: EntityManager,
  update: QuickUpdate,
  doCommit: () => Promise<void>,
): Promise<void> {
  await whileProcessing(update.changes, async () => {
    const answer = await sendQuickUpdate(em, update, undefined, loggerContextOf(em)).catch(
      (error: unknown) => {
        if (!update.isGuarded || (error as { sqlState?: string }).sqlState !== '22P02') throw error;
        return undefined;
      },
    );
    if (answer) {
      refuseMissing(update, answer);
      return finish(em, [[update, answer]]);
    }
    for (const { entity } of update.changes) helper(entity).__processing = false;
    return doCommit();
  });
}

async function commitAll(em: EntityManager, updates: readonly QuickUpdate[]): Promise<void> {
  const loggerContext = loggerContextOf(em);
  const send = async (ctx: object | undefined): Promise<[QuickUpdate, QuickAnswer][]> => {
    const answers: [QuickUpdate, QuickAnswer][] = [];
    for (const update of updates) {
      const answer = await sendQuickUpdate(em, update, ctx, loggerContext);
      refuseMissing(update, answer);
      answers.push([update, answer]);
    }
    return answers;
  };
  const all = updates.flatMap(({ changes }) => changes);
  await whileProcessing(all, async () => {
    const needsTransaction = !em.isInTransaction() && em.config.get('implicitTransactions');
    const answers = needsTransaction
      ? await em.getConnection('write').transactional(send, {
          sessionContext: (em as unknown as Context).getTransactionSessionContext() as never,
          eventBroadcaster: new TransactionEventBroadcaster(em as never),
          loggerContext,
        })
      : await send(em.getTransactionContext());
    finish(em, answers);
  });
}

function refuseMissing({ meta, changes, isGuarded }: QuickUpdate, { count, places }: QuickAnswer): void {
  if (!isGuarded || count === changes.length) return;
  const written = new Set((places ?? []).map(Number));
  const missing = changes.filter((_, index) => !written.has(index + 1));
  if (meta.versionProperty) throw OptimisticLockError.lockFailed(missing[0]?.entity as object);
  const keys = keysOf(
    meta,
    missing.map(({ before }) => before),
  );
  throw new SoftDeletedRowError(meta.className, keys);
}

/** The mark keeps collections and cascades from taking the entities for new ones meanwhile. */
async function whileProcessing(changes: readonly QuickChange[], work: () => Promise<void>): Promise<void> {
  for (const { entity } of changes) helper(entity).__processing = true;
  try {
    await work();
  } finally {
    for (const { entity } of changes) {
      helper(entity).__processing = false;
      delete helper(entity).__pk;
    }
  }
}

function finish(em: EntityManager, answers: readonly (readonly [QuickUpdate, QuickAnswer])[]): void {
  const visited = new Set<object>();
  const steps = em.getUnitOfWork(false) as unknown as Steps;
  for (const [update, answer] of answers) {
    keepChanges(em, update, answer);
    if (update.meta.relations.length === 0) continue;
    for (const { entity } of update.changes) steps.takeCollectionSnapshots(entity, visited);
  }
}
