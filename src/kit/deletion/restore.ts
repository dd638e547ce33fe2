import { type EntityMetadata, helper, Utils } from '@mikro-orm/core';
import { isDataError } from '../errors/index.ts';
import {
  type DataDriver,
  type DataEntityManager,
  liftingMarks,
  ownDeletionOf,
  undoable,
} from '../orm/index.ts';
import { inRounds } from './aftermath-statement.ts';
import type { BatchId } from './batch-id.ts';
import type { Run } from './catalogue.ts';
import { currentFacts } from './context.ts';
import { DeletionError } from './errors.ts';
import { keyInJournal } from './forget-fallen.ts';
import type { GraphEdge } from './graph.ts';
import { graphOf, runIn, runOf } from './graph-of.ts';
import { inTurnsWhenLost, NOBODY, type Queue } from './in-turns-when-lost.ts';
import { entryOf, type JournalEntry, readBatch } from './journal.ts';
import { type BatchScope, obstaclesOf, previewOf, scopeOf } from './preview.ts';
import { RestoreError } from './restore-error.ts';
import type { RestorePreview } from './restore-preview.ts';
import { type ChangedPolicy, restoreRefusal } from './restore-refusal.ts';
import { liftStatement, reinsertStatement, relinkStatement } from './restore-statements.ts';
import { statement, type Statement } from './statement.ts';

/** An entity that was read as deleted. */
export type DeletedRow = object & { readonly deletedAt: Date };

export interface RestoreOptions {
  /** Default `refuse`. */
  readonly changed?: ChangedPolicy;
}

/** What a restore has done: rows that live again and rows inserted again by table, links by foreign key. */
export interface Restoration {
  readonly batch: BatchId;
  readonly rows: Readonly<Record<string, number>>;
  readonly relinked: Readonly<Record<string, number>>;
  readonly reinserted: Readonly<Record<string, number>>;
}

/**
 * Lifts exactly the rows that fell together: those of a batch, or of the batch that a deleted row was the start of. It links what
 * was unlinked where nothing else was linked since and the target lives, and inserts recorded links again. All or nothing, in the
 * caller's transaction or one of its own.
 *
 * @throws RestoreError naming the constraints in the way; {@link previewRestore} shows them before.
 */
export async function restore(
  em: DataEntityManager,
  what: BatchId | DeletedRow,
  options: RestoreOptions = {},
): Promise<Restoration> {
  return quicklyFirst(em, async (tx, isQuick) => {
    const run = runOf(tx);
    const id = typeof what === 'string' ? what : await batchOfRow(tx, run, what);
    return liftingMarks(() => restoreBatch(tx, run, id, { ...options, isQuick }));
  });
}

/**
 * Most restores meet no obstacle: the first attempt looks for none beforehand and leaves the rest to the database. Where it meets
 * one it is taken back, and the second asks for all of them.
 */
async function quicklyFirst<T>(
  em: DataEntityManager,
  work: (tx: DataEntityManager, isQuick: boolean) => Promise<T>,
): Promise<T> {
  const attempt = (isQuick: boolean, queue: Queue) =>
    em.fork({ keepTransactionContext: true }).transactional(async (tx) => {
      await queue(runOf(tx));
      return work(tx, isQuick);
    });
  // Of a caller's transaction an attempt cannot be taken back alone.
  if (em.isInTransaction()) return attempt(false, NOBODY);
  return inTurnsWhenLost((queue) =>
    attempt(true, queue).catch((error: unknown) => {
      const isHindered =
        error instanceof NotAllLifted || (isDataError(error) && error.sqlState?.startsWith('23'));
      if (isHindered) return attempt(false, queue);
      throw error;
    }),
  );
}

/** What a restore of the batch would do, and what is in its way. It writes nothing. */
export async function previewRestore(
  em: DataEntityManager,
  what: BatchId | DeletedRow,
): Promise<RestorePreview> {
  const own = em.fork({ keepTransactionContext: true });
  const run = runOf(own);
  const id = typeof what === 'string' ? what : await batchOfRow(own, run, what);
  const graph = await graphOf(driverOf(own), run, own.schema);
  return previewOf(run, scopeOf(graph, await readBatch(run, id, false)));
}

/** What the journal knows of a deleted row: its batch, by whom, why, and because of which row. */
export async function deletionOf(em: DataEntityManager, row: DeletedRow): Promise<JournalEntry | undefined> {
  const own = em.fork({ keepTransactionContext: true });
  return entryOfRow(
    own,
    runOf(own),
    helper(row).__meta as EntityMetadata,
    helper(row).getPrimaryKeys() as unknown[],
  );
}

/** For the repository: undefined when the journal does not know the row. */
export async function restoreByKey(
  em: DataEntityManager,
  meta: EntityMetadata,
  key: unknown,
): Promise<boolean | undefined> {
  return quicklyFirst(em, async (tx, isQuick) => {
    const run = runOf(tx);
    const parts = Utils.isPlainObject<Record<string, unknown>>(key)
      ? meta.primaryKeys.map((name) => key[name])
      : [key];
    const entry = await entryOfRow(tx, run, meta, parts).catch((error: unknown) => {
      if (error instanceof RestoreError && error.code === 'DELETION.NEVER_DELETED') return null;
      throw error;
    });
    if (entry === null) return false;
    if (!entry) return undefined;
    if (entry.cause !== null) throw RestoreError.partOfBatch(meta.className, entry.batch);
    await liftingMarks(() => restoreBatch(tx, run, entry.batch, { isQuick }));
    return true;
  });
}

async function restoreBatch(
  em: DataEntityManager,
  run: Run,
  id: BatchId,
  { changed = 'refuse', isQuick }: RestoreOptions & { readonly isQuick: boolean },
): Promise<Restoration> {
  const batch = await readBatch(run, id, true);
  if (batch.restored) throw RestoreError.alreadyRestored(id);
  const scope = scopeOf(await graphOf(driverOf(em), run, em.schema), batch);
  if (batch.purged) throw RestoreError.purged(await previewOf(run, scope));
  const canBeQuick = isQuick && scope.fallen.length > 0 && scope.unknown.length === 0;
  const rows = canBeQuick ? await liftQuickly(run, scope) : await liftCarefully(em, run, scope, changed);
  const values = { batch: id, deleted: batch.deletedAt };
  const { relinked, reinserted } = await bringBack(scope, (text) => {
    const { sql, params } = statement(text, values);
    return run<never>(sql, params);
  });
  return { batch: id, rows, relinked, reinserted };
}

async function liftQuickly(run: Run, scope: BatchScope): Promise<Record<string, number>> {
  const { sql, params } = lifting(scope, scope.needs);
  const rows = toRecord(await run<Count>(sql, params));
  if (!isEqual(rows, scope.rows)) throw new NotAllLifted();
  return rows;
}

function lifting({ batch, fallen }: BatchScope, needs: readonly GraphEdge[]): Statement {
  const { actor, reason } = currentFacts();
  const values = { batch: batch.id, deleted: batch.deletedAt, actor, reason };
  return statement(liftStatement(fallen, needs), values);
}

/** What has become of the rows is asked only where not all of them could be lifted, which is then taken back. */
async function liftCarefully(
  em: DataEntityManager,
  run: Run,
  scope: BatchScope,
  changed: RestoreOptions['changed'],
): Promise<Record<string, number>> {
  const { deadAncestors, liveTwins } = await obstaclesOf(run, scope, true);
  if (deadAncestors.length > 0 || liveTwins.length > 0) refuse(await previewOf(run, scope), changed);
  if (scope.fallen.length === 0 && scope.unknown.length > 0)
    throw RestoreError.incomplete(await previewOf(run, scope));
  const { sql, params } = lifting(scope, []);
  const expecting = async (expected: Readonly<Record<string, number>>) =>
    undoable(
      driverOf(em).getConnection('write'),
      async (ctx) => {
        const rows = toRecord(await runIn(driverOf(em), ctx)<Count>(sql, params));
        if (!isEqual(rows, expected)) throw new NotAllLifted();
        return rows;
      },
      { ctx: em.getTransactionContext() },
    ).catch((error: unknown) => {
      if (error instanceof NotAllLifted) return undefined;
      throw error;
    });
  const rows = await expecting(scope.rows);
  if (rows) return rows;
  const preview = await previewOf(run, scope);
  refuse(preview, changed);
  const left = await expecting(preview.rows);
  if (!left) throw RestoreError.incomplete(await previewOf(run, scope));
  return left;
}

class NotAllLifted extends Error {}

type Ask = <Row extends object>(text: string) => Promise<Row[]>;
type Count = { readonly name: string; readonly rows: number };

async function bringBack(
  { unlinked, removed }: BatchScope,
  ask: Ask,
): Promise<Pick<Restoration, 'relinked' | 'reinserted'>> {
  // A row may have lost one reference first, and have been removed because of another one then.
  const inserted: Count[] = [];
  for (const table of removed) inserted.push(...(await ask<Count>(reinsertStatement(table))));
  const links: Count[] = [];
  for (const round of inRounds(unlinked)) links.push(...(await ask<Count>(relinkStatement(round))));
  return { relinked: toRecord(links), reinserted: toRecord(inserted) };
}

function refuse(preview: RestorePreview, changed: RestoreOptions['changed']): void {
  const refusal = restoreRefusal(preview, changed);
  if (refusal) throw refusal;
}

async function batchOfRow(em: DataEntityManager, run: Run, row: DeletedRow): Promise<BatchId> {
  const meta = helper(row).__meta as EntityMetadata;
  const entry = await entryOfRow(em, run, meta, helper(row).getPrimaryKeys() as unknown[]);
  if (!entry) throw RestoreError.notJournaled(meta.className);
  if (entry.cause !== null) throw RestoreError.partOfBatch(meta.className, entry.batch);
  return entry.batch;
}

async function entryOfRow(
  em: DataEntityManager,
  run: Run,
  meta: EntityMetadata,
  key: readonly unknown[],
): Promise<JournalEntry | undefined> {
  const own = em.getMetadata().get(meta.class);
  const table = ownDeletionOf(own) && (await graphOf(driverOf(em), run, em.schema)).tableOf(own);
  if (!table) throw DeletionError.notRegistered(meta.className);
  return entryOf(run, own, table, keyInJournal(own, key));
}

const driverOf = (em: DataEntityManager): DataDriver => em.getDriver();

function toRecord(counts: readonly Count[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { name, rows } of counts) if (rows > 0) found[name] = (found[name] ?? 0) + rows;
  return found;
}

function isEqual(one: Readonly<Record<string, number>>, other: Readonly<Record<string, number>>): boolean {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].every((name) => one[name] === other[name]);
}
