import { dropRemains, exists, indexOnTable, invalidIndexesOf, reindexRemains } from './index-remains.ts';
import { rootIndex } from './partitions/tree.ts';
import type { Session } from './session.ts';
import type { StatementKind } from './statement-kind.ts';

/** What the catalogue says about a statement that was begun by a run which did not live to see its end. */
export type Judgement = 'done' | 'again' | 'unknown';

/** Judges a statement whose start is in the journal and whose end is not. Call it under the lock: nobody runs it any more. */
export async function judge(session: Session, kind: StatementKind): Promise<Judgement> {
  switch (kind.kind) {
    case 'create-index': {
      if (kind.name === undefined) return 'unknown';
      // An index over partitions counts too: it is valid when all its parts are.
      const index = await rootIndex(session, kind.name, kind.table);
      return index?.isValid ? 'done' : 'again';
    }
    case 'drop-index':
      return (await exists(session, kind.name)) ? 'again' : 'done';
    case 'detach':
      return (await detachState(session, kind)) === 'detached' ? 'done' : 'again';
    case 'opaque':
      return 'unknown';
    default:
      return 'again';
  }
}

/** Invalid remains that a person should look at before answering for a statement in doubt. */
export async function remainsOf(session: Session, kind: StatementKind): Promise<string[]> {
  if (kind.kind !== 'create-index') return [];
  const found = await invalidIndexesOf(session, kind.table);
  return found.map(({ schema, name }) => `${schema}.${name}`);
}

/** How a statement is to be run, after what stood in its way was removed. */
export interface Prepared {
  /** Names of the invalid indexes that were dropped. */
  readonly dropped: readonly string[];
  /**
   * False when the server is about to refuse the statement because the object is there already (or is not): the
   * catalogue could not be evidence afterwards.
   */
  readonly isTraceable: boolean;
  /** The statement to send in its place. */
  readonly instead?: string;
}

/** Removes what a failed earlier attempt has left and what IF NOT EXISTS would pass over. */
export async function prepare(session: Session, kind: StatementKind): Promise<Prepared> {
  if (kind.kind === 'create-index' && kind.name !== undefined) {
    const index = await indexOnTable(session, kind.name, kind.table);
    if (index && !index.isValid) return { dropped: [await dropRemains(session, index)], isTraceable: true };
    return { dropped: [], isTraceable: kind.isGuarded || !index };
  }
  if (kind.kind === 'drop-index')
    return { dropped: [], isTraceable: kind.isGuarded || (await exists(session, kind.name)) };
  if (kind.kind === 'reindex') {
    const dropped: string[] = [];
    for (const index of await reindexRemains(session, kind.scope, kind.name))
      dropped.push(await dropRemains(session, index));
    return { dropped, isTraceable: true };
  }
  if (kind.kind === 'detach') return prepareDetach(session, kind);
  return { dropped: [], isTraceable: true };
}

type Detach = Extract<StatementKind, { kind: 'detach' }>;

async function prepareDetach(session: Session, kind: Detach): Promise<Prepared> {
  const state = await detachState(session, kind);
  const finalize = `alter table ${kind.table} detach partition ${kind.partition} finalize`;
  return {
    dropped: [],
    isTraceable: state !== 'detached',
    ...(state === 'pending' ? { instead: finalize } : {}),
  };
}

async function detachState(
  session: Session,
  { table, partition }: Detach,
): Promise<'attached' | 'pending' | 'detached'> {
  const sql = `select inhdetachpending as pending from pg_catalog.pg_inherits where inhparent = to_regclass($1) and inhrelid = to_regclass($2)`;
  const [row] = await session.query<{ pending: boolean }>(sql, [table, partition]);
  if (!row) return 'detached';
  return row.pending ? 'pending' : 'attached';
}

/** Whether the index that was asked for is there and usable, after the server has said that it was done. */
export async function isConfirmed(session: Session, kind: StatementKind): Promise<boolean> {
  if (kind.kind !== 'create-index' || kind.name === undefined) return true;
  const index = await indexOnTable(session, kind.name, kind.table);
  return index?.isValid === true;
}
