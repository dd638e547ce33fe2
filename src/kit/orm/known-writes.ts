import {
  type Dictionary,
  EntityManager as CoreEntityManager,
  type EntityMetadata,
  type EntityProperty,
  type LoggingOptions,
  type QueryResult,
  ReferenceKind,
  type Transaction,
  Utils,
} from '@mikro-orm/core';
import { guardsWrites } from '../soft-delete/index.ts';
import type { DataEntityManager } from './data-entity-manager.ts';
import { type KnownCall, KnownCalls, type Verb } from './known-calls.ts';
import { ownDeletionOf } from './own-deletion.ts';
import type { PlannedReads } from './planned-reads.ts';
import { givenBack, hasNumericKey, isGivenBack, rowOfKey, withoutReturning } from './short-changes.ts';
import { keepsEntities } from './written-rows.ts';

type Manager = DataEntityManager;
type Options = Dictionary;

interface Core {
  nativeUpdate(entityName: unknown, where: unknown, data: unknown, options: Options): Promise<number>;
  nativeDelete(entityName: unknown, where: unknown, options: Options): Promise<number>;
  insert(entityName: unknown, data: unknown, options: Options): Promise<unknown>;
}

const CORE = CoreEntityManager.prototype as unknown as Core;

/** `data` is the layer's own word: what an update is given stands among the options, and its values are parameters. */
const DATA_OPTIONS = new Set(['data']);
const DELETE_OPTIONS = new Set<string>();

/** What is kept beside a statement: its text with no more asked back than the call needs. */
interface Shortened {
  short(sql: string): string;
}

/** `nativeUpdate`, `nativeDelete` and `insert` of calls that are known. */
export class KnownWrites {
  readonly #calls: KnownCalls;
  readonly #update: Verb = {
    name: 'nativeUpdate',
    options: DATA_OPTIONS,
    core: (em, { class: name }, where, { data, ...options }) =>
      CORE.nativeUpdate.call(em, name, where, data, options),
    accept: (meta, _, { data }) =>
      hasOnlyColumns(meta, data) ? { short: onceFor(withoutReturning) } : undefined,
  };
  readonly #delete: Verb = {
    name: 'nativeDelete',
    options: DELETE_OPTIONS,
    // Such a deletion is more than one statement, and one that is made to look at it would delete.
    fits: (meta, scope) => !guardsWrites(scope) || !ownDeletionOf(meta),
    core: (em, { class: name }, where, options) => CORE.nativeDelete.call(em, name, where, options),
    accept: (meta) => ({ short: onceFor(hasNumericKey(meta) ? withoutReturning : (sql) => sql) }),
  };
  readonly #insert: Verb = {
    name: 'insert',
    options: DATA_OPTIONS,
    core: (em, { class: name }, _, { data, ...options }) => CORE.insert.call(em, name, data, options),
    accept: (meta, _, { data }) => {
      const [key, ...others] = meta.primaryKeys;
      if (key === undefined || others.length > 0 || key in (data as object)) return undefined;
      return hasOnlyColumns(meta, data) ? { short: onceFor((sql) => returningKey(meta, sql)) } : undefined;
    },
  };

  constructor(reads: PlannedReads) {
    this.#calls = new KnownCalls(reads);
  }

  nativeUpdate(
    em: Manager,
    entityName: unknown,
    where: unknown,
    data: unknown,
    options: Options,
  ): Promise<number> {
    return sentOr(this.#withData(this.#update, em, entityName, where, data, options), changed, () =>
      CORE.nativeUpdate.call(em, entityName, where, data, options),
    );
  }

  nativeDelete(em: Manager, entityName: unknown, where: unknown, options: Options): Promise<number> {
    return sentOr(
      this.#calls.known<Shortened>(this.#delete, em, entityName, where, options),
      (known) => deleted(known, where),
      () => CORE.nativeDelete.call(em, entityName, where, options),
    );
  }

  /** Answers with the key of the row, as the driver gives it. */
  insert(em: Manager, entityName: unknown, data: unknown, options: Options): Promise<unknown> {
    return sentOr(
      this.#withData(this.#insert, em, entityName, {}, data, options),
      (known) => sent(known).then(({ rows }) => rows?.[0]?.[known.meta.primaryKeys[0] as string] as unknown),
      () => CORE.insert.call(em, entityName, data, options),
    );
  }

  #withData(verb: Verb, em: Manager, name: unknown, where: unknown, data: unknown, options: Options) {
    if (!Utils.isPlainObject(data) || 'data' in options) return undefined;
    return this.#calls.known<Shortened>(verb, em, name, where, { ...options, data });
  }
}

type Known = KnownCall<Shortened>;

function sentOr<T>(
  call: Known | Promise<Known | undefined> | undefined,
  run: (call: Known) => Promise<T>,
  core: () => Promise<T>,
): Promise<T> {
  if (!call) return core();
  return call instanceof Promise ? call.then((made) => (made ? run(made) : core())) : run(call);
}

const loggingOf = (em: Manager): LoggingOptions => ({ id: em.id }) as LoggingOptions;

function changed({ em, plan, leaves, extra }: Known): Promise<number> {
  const sql = extra.short(plan.text(leaves));
  const ctx = em.getTransactionContext<Transaction>();
  return em.getDriver().getConnection('write').change(sql, plan.values(leaves), ctx, loggingOf(em));
}

function deleted(known: Known, where: unknown): Promise<number> {
  const { em, meta } = known;
  const forget = (rows: readonly Dictionary[]): void => em.getDriver().forgetDeletedRows(em, meta, rows);
  const key = keyIn(meta, where);
  if (hasNumericKey(meta) && isGivenBack(key))
    return changed(known).then((count) => {
      if (count > 0 && keepsEntities(em, meta)) forget([rowOfKey(meta, givenBack(key))]);
      return count;
    });
  return sent({ ...known, extra: { short: (sql) => sql } }).then(({ affectedRows, rows }) => {
    forget(rows ?? []);
    return affectedRows;
  });
}

/** The key, where the condition is nothing else. */
function keyIn(meta: EntityMetadata, where: unknown): unknown {
  if (typeof where !== 'object' || where === null) return where;
  const [name, ...others] = Object.keys(where);
  return name !== undefined && others.length === 0 && name === meta.primaryKeys[0]
    ? (where as Dictionary)[name]
    : undefined;
}

function sent({ em, plan, leaves, extra }: Known): Promise<QueryResult<Dictionary>> {
  const sql = extra.short(plan.text(leaves));
  const ctx = em.getTransactionContext<Transaction>();
  return em
    .getDriver()
    .getConnection('write')
    .execute<QueryResult<Dictionary>>(sql, plan.values(leaves), 'run', ctx, loggingOf(em));
}

/** A plan has one text mostly, and a text that is made anew would be looked up by all of its letters. */
function onceFor(make: (sql: string) => string): (sql: string) => string {
  let [last, made] = ['', ''];
  return (sql) => {
    if (sql !== last) [last, made] = [sql, make(sql)];
    return made;
  };
}

/** The core asks for all columns that the database fills, and answers with the key. */
function returningKey(meta: EntityMetadata, sql: string): string {
  const short = withoutReturning(sql);
  const column = ` "${meta.getPrimaryProps()[0]?.fieldNames[0] ?? ''}"`;
  const asked = sql.slice(short.length);
  return `${asked},`.includes(`${column},`) ? `${short} returning${column}` : sql;
}

/** An array, and a collection, is written by statements of its own; a relation by its key. */
function hasOnlyColumns(meta: EntityMetadata, data: unknown): boolean {
  return Object.keys(data as object).every((name) => {
    const prop = meta.properties[name as never] as EntityProperty | undefined;
    const isToOne = prop?.kind === ReferenceKind.MANY_TO_ONE || prop?.kind === ReferenceKind.ONE_TO_ONE;
    return (
      prop !== undefined && (isToOne || prop.kind === ReferenceKind.SCALAR) && prop.fieldNames?.length === 1
    );
  });
}
