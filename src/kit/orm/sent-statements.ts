import type { Configuration } from '@mikro-orm/core';
import { currentScope, type ScopeMode } from '../soft-delete/index.ts';

/** A statement on its way to PostgreSQL, by whatever way it was made. */
export interface SentStatement {
  /** As it is sent, values included where MikroORM has written them in; `undefined` for a stream of another library. */
  readonly text: string | undefined;
  /** The scope that the sender ran in; `undefined` in normal code. */
  readonly scope: ScopeMode | undefined;
}

const SCOPE = Symbol('scope');

interface Query {
  readonly text?: unknown;
  readonly [SCOPE]?: ScopeMode | undefined;
}

type Listener = (statement: SentStatement) => void;

/** By configuration, which the connections of one ORM share, the replicas among them. */
const listeners = new WeakMap<Configuration, Set<Listener>>();

/** Calls `listener` with every statement of an ORM from now on, until the answer is called. It must not throw. */
export function listenToStatements(config: Configuration, listener: Listener): () => void {
  const all = listeners.get(config) ?? new Set<Listener>();
  listeners.set(config, all.add(listener));
  return () => void all.delete(listener);
}

/**
 * Writes the sender's scope into the query object of one call for `pool.query`, which sends it in the scope of whoever gave a connection back.
 * Whatever goes through Kysely waits for its connection by a promise, and so in its own scope.
 */
export function withScope<T extends object>(query: T): T {
  (query as { [SCOPE]?: ScopeMode | undefined })[SCOPE] = currentScope()?.mode;
  return query;
}

/** Told by the connection with what it is about to hand to the driver: a text, an object with one, or a cursor. */
export function tellListeners(config: Configuration, query: unknown): void {
  const all = listeners.get(config);
  if (!all?.size) return;
  const sent = (typeof query === 'string' ? { text: query } : (query ?? {})) as Query;
  const scope = SCOPE in sent ? sent[SCOPE] : currentScope()?.mode;
  const { text } = sent;
  for (const listener of all) listener({ text: typeof text === 'string' ? text : undefined, scope });
}
