import { randomUUID } from 'node:crypto';
import { type EntityClass, type Primary, TransactionPropagation } from '@mikro-orm/core';
import type { DataEntityManager } from '../../orm/index.ts';
import { retryTransaction } from '../../transactions/index.ts';
import type { Run } from '../catalogue.ts';
import { currentFacts, noteBatch, withDeletionContext } from '../context.ts';
import { conditionOf, type Deletable, registered } from '../delete-rows.ts';
import { graphOf, runOf } from '../graph-of.ts';
import type { GraphTable } from '../graph.ts';
import { lockHolds } from '../holds/held-sql.ts';
import { removeRows } from '../remove-rows.ts';
import { blockersOf } from './blockers.ts';
import { type DoomedRows, findDoomed } from './doomed-rows.ts';
import { eraseImages } from './erase-images.ts';
import { ErasureError } from './erasure-error.ts';
import type { ErasureProof } from './erasure-proof.ts';
import { type ErasureRoot, findRoot, keyCondition } from './find-root.ts';
import { forgetErased } from './forget-erased.ts';
import { refuseHeld } from './held-rows.ts';
import { storeProof } from './proofs.ts';
import { removeDoomed, unlinkFrom } from './remove-doomed.ts';
import { together, unlinkedBy } from './unlinked-before.ts';
import { columnsToScrub, type ScrubValues, scrubRow } from './scrub.ts';

/** The properties of an entity that can be overwritten, each with null or a value that tells nothing. */
export type Scrub<Entity> = {
  readonly [Name in Exclude<keyof Entity & string, 'deletedAt'>]?: Entity[Name] | null;
};

/** How a row is erased, and why. */
export interface ErasureOptions<Entity> {
  /**
   * `remove` removes the row, the dead rows that were part of it, and its links. `{ scrub }` overwrites columns of the row, which
   * stays, dead or live as it is, for those that refer to it.
   */
  readonly mode: 'remove' | { readonly scrub: Scrub<Entity> };
  /** Stored with the proof. Name the request, and no personal data. The actor is that of `withDeletionContext`. */
  readonly reason: string;
}

/**
 * Removes a row for good, or overwrites what is personal in it, together with the images that the journal has of it, and proves it.
 * A row that is live is deleted by its policies first. All of it or nothing, in the caller's transaction or one of its own that is
 * tried again when it has lost against another one. The proof is stored by the same transaction.
 *
 * @throws ErasureError, or DeletionRestrictedError when live rows forbid the deletion; nothing is erased then.
 */
export async function erase<Entity extends Deletable>(
  em: DataEntityManager,
  entity: EntityClass<Entity>,
  key: Primary<Entity>,
  options: ErasureOptions<NoInfer<Entity>>,
): Promise<ErasureProof> {
  const erasure = erasureOf(em, entity, key, options);
  const { proof, rows } = await withDeletionContext({ reason: options.reason }, () =>
    retryTransaction(em.fork({ keepTransactionContext: true }), async (tx) => {
      const done = await eraseIn(tx, erasure);
      await storeProof(runOf(tx), done.proof);
      return done;
    }),
  );
  if (proof.batch) noteBatch(proof.batch);
  await forgetErased(em, rows);
  return proof;
}

/**
 * What {@link erase} would answer now. It erases and takes everything back, so that it meets what an erasure would meet: it waits for
 * others, and they wait for it.
 */
export async function previewErasure<Entity extends Deletable>(
  em: DataEntityManager,
  entity: EntityClass<Entity>,
  key: Primary<Entity>,
  options: ErasureOptions<NoInfer<Entity>>,
): Promise<ErasureProof> {
  const erasure = erasureOf(em, entity, key, options);
  let proof: ErasureProof | undefined;
  const own = em.fork({ keepTransactionContext: true });
  const work = async (tx: DataEntityManager): Promise<never> => {
    ({ proof } = await eraseIn(tx, erasure));
    throw new TakenBack();
  };
  await withDeletionContext({ reason: options.reason }, () =>
    own.transactional(work, { propagation: TransactionPropagation.NESTED }),
  ).catch((error: unknown) => {
    if (!(error instanceof TakenBack)) throw error;
  });
  return proof as ErasureProof;
}

class TakenBack extends Error {}

interface Erasure {
  readonly entity: EntityClass<object>;
  readonly meta: ReturnType<typeof registered>;
  readonly key: unknown;
  readonly scrub: ScrubValues | undefined;
  readonly reason: string;
}

function erasureOf<Entity extends Deletable>(
  em: DataEntityManager,
  entity: EntityClass<Entity>,
  key: unknown,
  { mode, reason }: ErasureOptions<Entity>,
): Erasure {
  const meta = registered(em, entity);
  if (typeof reason !== 'string' || reason.trim() === '') throw ErasureError.noReason();
  return { entity, meta, key, scrub: mode === 'remove' ? undefined : { ...mode.scrub }, reason };
}

interface Opening {
  readonly erasedAt: string;
  readonly transaction: string;
  readonly isReady: boolean;
}

const OPENING = `select now()::text as "erasedAt", pg_current_xact_id()::text as transaction,
  to_regclass('deletion_erasures') is not null and to_regclass('deletion_holds') is not null as "isReady"`;

async function eraseIn(
  tx: DataEntityManager,
  erasure: Erasure,
): Promise<{ proof: ErasureProof; rows: DoomedRows }> {
  const { entity, meta, key, scrub, reason } = erasure;
  const run = runOf(tx);
  const graph = await graphOf(tx.getDriver(), run, tx.schema);
  const table = graph.tableOf(meta) as GraphTable;
  const columns = scrub && columnsToScrub(graph, table, meta, scrub);
  const [{ isReady, ...opening }] = (await run<Opening>(OPENING)) as [Opening];
  if (!isReady) throw ErasureError.noTable();
  await lockHolds(run);
  const root = await findRoot(tx, run, { entity, meta, table }, key);
  const subject = { run, graph, table, root };
  const done = columns ? await scrubIn(tx, subject, erasure, columns) : await removeIn(tx, subject, erasure);
  const { actor = null, tenant = null } = currentFacts();
  const proof: ErasureProof = {
    id: randomUUID(),
    entity: meta.className,
    table: table.name,
    key: root.key,
    mode: columns ? 'scrub' : 'remove',
    ...opening,
    actor,
    reason,
    tenant,
    wasLive: root.isLive,
    ...done.facts,
  };
  return { proof, rows: done.rows };
}

interface Subject {
  readonly run: Run;
  readonly graph: Awaited<ReturnType<typeof graphOf>>;
  readonly table: GraphTable;
  readonly root: ErasureRoot;
}

interface Done {
  readonly rows: DoomedRows;
  readonly facts: Pick<ErasureProof, 'batch' | 'removed' | 'edges' | 'unlinked' | 'scrubbed' | 'journal'>;
}

async function scrubIn(
  tx: DataEntityManager,
  { run, graph, table, root }: Subject,
  { meta, scrub = {} }: Erasure,
  columns: readonly string[],
): Promise<Done> {
  const rows = new Map([[table, new Set([root.key])]]);
  await refuseHeld(run, graph, rows, meta.className);
  await tx.skipSoftDelete((all) => scrubRow(all, runOf(all), { meta, table, key: root.key }, scrub));
  const journal = await eraseImages(run, graph, { rows, scrubbed: columns });
  return { rows, facts: { batch: null, removed: [], edges: [], unlinked: [], scrubbed: columns, journal } };
}

async function removeIn(
  tx: DataEntityManager,
  { run, graph, table, root }: Subject,
  { entity, meta, key }: Erasure,
): Promise<Done> {
  await refuseHeld(run, graph, new Map([[table, new Set([root.key])]]), meta.className);
  const batch = root.isLive ? await deleteByPolicies(tx, { entity, meta, key }) : null;
  const { doomed, found } = await findDoomed(run, graph, table, root.key);
  await refuseHeld(run, graph, doomed, meta.className);
  const blockers = await blockersOf(run, graph, doomed);
  if (blockers.length > 0) throw ErasureError.referenced(meta.className, blockers);
  const journal = await eraseImages(run, graph, { rows: doomed, scrubbed: undefined });
  const before = await unlinkedBy(run, batch);
  const unlinked = await tx.skipSoftDelete(async (all) => {
    const own = runOf(all);
    const lost = await unlinkFrom(own, graph, doomed);
    await removeDoomed(own, doomed);
    return together([...before, ...lost]);
  });
  const removed = [...doomed].map(([{ name }, keys]) => ({ table: name, rows: keys.size, keys: [...keys] }));
  const edges = found.map(({ edge, rows }) => ({
    constraint: edge.constraint,
    table: edge.child.name,
    rows,
  }));
  return { rows: doomed, facts: { batch, removed, edges, unlinked, scrubbed: [], journal } };
}

async function deleteByPolicies(
  tx: DataEntityManager,
  { entity, meta, key }: Pick<Erasure, 'entity' | 'meta' | 'key'>,
): Promise<ErasureProof['batch']> {
  const where = await conditionOf(tx, entity, keyCondition(meta, key));
  const { batch } = await removeRows(tx.getDriver(), meta, where, {
    em: tx,
    ctx: tx.getTransactionContext(),
    leavesLinks: true,
  });
  return batch ?? null;
}
