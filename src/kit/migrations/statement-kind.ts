import { StatementCursor } from './statement-cursor.ts';
import { transactionControl } from './transaction-control.ts';

/** What the engine must know of a statement of a NO TRANSACTION file. Names are as the file writes them. */
export type StatementKind =
  /** Can share a transaction with its line of the journal, so its outcome is always known. */
  | { readonly kind: 'atomic' }
  /** Changes the session only; run again in each session that goes on with the file. */
  | { readonly kind: 'session' }
  /** Begins, ends or divides a transaction of the file's own. */
  | { readonly kind: 'control'; readonly opens: boolean }
  | {
      readonly kind: 'create-index';
      /** Left out, the server makes one up. */
      readonly name: string | undefined;
      readonly table: string;
      readonly isGuarded: boolean;
    }
  | { readonly kind: 'drop-index'; readonly name: string; readonly isGuarded: boolean }
  | { readonly kind: 'reindex'; readonly scope: ReindexScope; readonly name: string | undefined }
  | { readonly kind: 'detach'; readonly table: string; readonly partition: string }
  /** Cannot run in a transaction, and running it again does no harm: VACUUM, ALTER SYSTEM. */
  | { readonly kind: 'repeatable' }
  /** Cannot run in a transaction, or ends one inside, and nothing tells afterwards whether it was done. */
  | { readonly kind: 'opaque' };

export type ReindexScope = 'index' | 'table' | 'schema' | 'database' | 'system';

const SCOPES: readonly ReindexScope[] = ['index', 'table', 'schema', 'database', 'system'];
const ATOMIC = ['insert', 'update', 'delete', 'merge', 'select', 'with', 'comment', 'grant', 'revoke'];
const ATOMIC_TOO = ['truncate', 'analyze', 'refresh', 'security', 'import', 'reassign', 'table', 'values'];
const SESSION = ['set', 'reset', 'load', 'prepare', 'deallocate', 'listen', 'unlisten', 'discard', 'show'];
const REPEATABLE = ['vacuum', 'checkpoint', 'cluster'];
const OUTSIDE = ['database', 'tablespace', 'subscription', 'system'];

/** Decides how a statement of a NO TRANSACTION file is run, and what can be found out about it after a crash. */
export function kindOf(text: string): StatementKind {
  const control = transactionControl(text);
  if (control.length > 0) return controlKind(text, control);
  return (
    concurrentIndex(text) ?? reindex(text) ?? detach(text) ?? ofFirstWord(new StatementCursor(text), text)
  );
}

function controlKind(text: string, control: ReturnType<typeof transactionControl>): StatementKind {
  const [first] = control;
  // A block with more in it than the control statement itself may have stopped anywhere.
  if (control.length > 1 || first?.start !== 0 || /;\s*\S/.test(text)) return { kind: 'opaque' };
  return { kind: 'control', opens: new StatementCursor(text).takeAny('begin', 'start') };
}

function concurrentIndex(text: string): StatementKind | undefined {
  const cursor = new StatementCursor(text);
  if (cursor.take('drop', 'index', 'concurrently')) {
    const isGuarded = cursor.take('if', 'exists');
    const name = cursor.name();
    return name === undefined ? { kind: 'opaque' } : { kind: 'drop-index', name, isGuarded };
  }
  if (!cursor.take('create')) return undefined;
  cursor.take('unique');
  if (!cursor.take('index', 'concurrently')) return undefined;
  const isGuarded = cursor.take('if', 'not', 'exists');
  const name = cursor.take('on') ? undefined : cursor.name();
  if (name !== undefined) cursor.take('on');
  cursor.take('only');
  const table = cursor.name();
  return table === undefined ? { kind: 'opaque' } : { kind: 'create-index', name, table, isGuarded };
}

function reindex(text: string): StatementKind | undefined {
  const cursor = new StatementCursor(text);
  if (!cursor.take('reindex')) return undefined;
  const options = cursor.parenthesised();
  const scope = SCOPES.find((word) => cursor.take(word));
  if (!scope) return { kind: 'opaque' };
  const at = options.indexOf('concurrently');
  const isConcurrent =
    cursor.take('concurrently') || (at > 0 && !['false', 'off', '0'].includes(options[at + 1] ?? ''));
  const name = cursor.name();
  if (isConcurrent) return { kind: 'reindex', scope, name };
  return { kind: 'repeatable' };
}

function detach(text: string): StatementKind | undefined {
  const cursor = new StatementCursor(text);
  if (!cursor.take('alter', 'table')) return undefined;
  cursor.take('if', 'exists');
  cursor.take('only');
  const table = cursor.name();
  if (table === undefined || !cursor.take('detach', 'partition')) return undefined;
  const partition = cursor.name();
  if (partition === undefined || !cursor.take('concurrently')) return undefined;
  return { kind: 'detach', table, partition };
}

function ofFirstWord(cursor: StatementCursor, text: string): StatementKind {
  if (cursor.takeAny(...ATOMIC, ...ATOMIC_TOO)) return { kind: 'atomic' };
  if (cursor.takeAny(...SESSION)) return { kind: 'session' };
  if (cursor.takeAny(...REPEATABLE)) return { kind: 'repeatable' };
  if (cursor.take('alter', 'system')) return { kind: 'repeatable' };
  if (cursor.takeAny('create', 'alter', 'drop'))
    return { kind: cursor.takeAny(...OUTSIDE) ? 'opaque' : 'atomic' };
  // A procedure may commit, and so may a DO block that calls one: neither is allowed in a transaction of ours.
  if (cursor.take('do') && !/\b(commit|rollback|call|execute)\b/i.test(text)) return { kind: 'atomic' };
  return { kind: 'opaque' };
}
