import {
  BigIntType,
  type EntityMetadata,
  type LoggingOptions,
  type QueryResult,
  RawQueryFragment,
  type Transaction,
} from '@mikro-orm/core';
import { currentScope, isSoftDeletable } from '../soft-delete/index.ts';
import { type CapturedStatement, capturing } from './captured-statement.ts';
import type { DataConnection } from './data-connection.ts';
import type { DataDriver } from './data-driver.ts';
import type { DataEntityManager } from './data-entity-manager.ts';
import { ownDeletionOf } from './own-deletion.ts';
import { givenBack, hasNumericKey, isGivenBack, rowOfKey, withoutReturning } from './short-changes.ts';
import type { SentQuery } from './statement-binder.ts';
import { forgetDeleted, keepsEntities } from './written-rows.ts';

/** The statement for one entity and the keys of one type. */
interface Plan {
  readonly sql: string;
  /** The same without the key that it asks back, where the key has one text only. */
  readonly short: string | undefined;
  /** The short one with a parameter for a key that is a text, under its name. */
  readonly bound: Omit<SentQuery, 'values'> | undefined;
  values(key: unknown): unknown[];
}

/** By driver, entity, schema and type of the key: the ORM's own statement, or that it is not one that only the key changes. */
const plans = new WeakMap<DataDriver, Map<EntityMetadata, Map<string, Plan | undefined>>>();

/**
 * Marks the row of a key as deleted by the statement that the ORM has made for the first one; most of a delete by key is to make
 * it. Undefined where the ORM has to make it each time: in a scope, with a filter or a session context of the program, and for a
 * key or a class whose statement holds more than the key. Not an async function, as each one is a turn of the queue for the call.
 */
export function markByPlan(
  own: DataEntityManager,
  meta: EntityMetadata,
  key: unknown,
): Promise<number | undefined> | undefined {
  const em = own.getContext(false);
  if (!isKey(key) || !isPlainCall(em) || ownDeletionOf(meta)) return undefined;
  const kind = em.schema === undefined ? typeof key : `${typeof key} ${em.schema}`;
  const known = plansOf(em.getDriver(), meta);
  const plan = known.get(kind);
  if (plan) return marked(em, meta, plan, key);
  if (known.has(kind)) return undefined;
  return planOf(em, meta, key).then((made) => {
    known.set(kind, made);
    return made && marked(em, meta, made, key);
  });
}

type Key = string | number | bigint;

function marked(em: DataEntityManager, meta: EntityMetadata, plan: Plan, key: Key): Promise<number> {
  const context = { id: em.id, ...em.getLoggerContext() } as LoggingOptions;
  const connection = em.getDriver().getConnection('write');
  const ctx = em.getTransactionContext<Transaction>();
  if (plan.short === undefined || !isGivenBack(key))
    return connection
      .execute<QueryResult>(plan.sql, plan.values(key), 'run', ctx, context)
      .then(({ affectedRows, rows }) => {
        forgetDeleted(em, meta, rows ?? []);
        return affectedRows;
      });
  const ready = plan.bound && { ...plan.bound, values: [key] };
  return connection.change(plan.short, plan.values(key), ctx, context, ready).then((count) => {
    if (count > 0 && keepsEntities(em, meta)) forgetDeleted(em, meta, [rowOfKey(meta, givenBack(key))]);
    return count;
  });
}

const isKey = (key: unknown): key is Key =>
  typeof key === 'string' || typeof key === 'number' || typeof key === 'bigint';

/** What may be another one in each call. A class stays soft-deletable, but a deletion of its own may be registered at any time. */
function isPlainCall(em: DataEntityManager): boolean {
  if (currentScope() || em.getDriver().isFiltered()) return false;
  return !em.getTransactionSessionContext() && !isAborting(em);
}

function plansOf(driver: DataDriver, meta: EntityMetadata): Map<string, Plan | undefined> {
  const ofDriver = plans.get(driver) ?? new Map<EntityMetadata, Map<string, Plan | undefined>>();
  if (ofDriver.size === 0) plans.set(driver, ofDriver);
  const ofMeta = ofDriver.get(meta) ?? new Map<string, Plan | undefined>();
  if (ofMeta.size === 0) ofDriver.set(meta, ofMeta);
  return ofMeta;
}

async function planOf(em: DataEntityManager, meta: EntityMetadata, key: unknown): Promise<Plan | undefined> {
  if (!isSoftDeletable(meta)) return undefined;
  const [prop, ...others] = meta.getPrimaryProps();
  // A type of the program's own may make another value of each key.
  const isPlain = prop?.customType === undefined || prop.customType instanceof BigIntType;
  if (others.length > 0 || !isPlain || prop?.fieldNames.length !== 1) return undefined;
  const sink: CapturedStatement = {};
  const options = { loggerContext: capturing(undefined, sink), schema: em.schema };
  await em.getDriver().nativeDelete(meta.class, { [prop.name]: key }, options as never);
  return planFor(em.getDriver().getConnection('write'), meta, sink, key);
}

/** Beside the key it may hold what the database is asked for at each run, such as `now()`. */
function planFor(
  connection: DataConnection,
  meta: EntityMetadata,
  { sql, params = [] }: CapturedStatement,
  key: unknown,
): Plan | undefined {
  const others = params.filter((param) => param !== key);
  const isOfKey = others.length === params.length - 1 && others.every(isInstant);
  if (sql === undefined || !isOfKey) return undefined;
  const short = hasNumericKey(meta) ? withoutReturning(sql) : undefined;
  return {
    sql,
    short,
    bound: short === undefined ? undefined : boundTo(connection, short, params, key),
    values: (own) => params.map((param) => (param === key ? own : param)),
  };
}

/** The statement as it is sent; a text has its name from the second time on. */
function boundTo(
  connection: DataConnection,
  sql: string,
  params: readonly unknown[],
  key: unknown,
): Omit<SentQuery, 'values'> | undefined {
  connection.bound(sql, params);
  const bound = connection.bound(sql, params);
  if (bound?.name === undefined || bound.values.length !== 1 || bound.values[0] !== key) return undefined;
  const { name, isOpen, text } = bound;
  return { name, isOpen, text };
}

const isInstant = (param: unknown): boolean =>
  param instanceof RawQueryFragment && param.sql === 'now()' && param.params.length === 0;

/** The core marks both as protected. */
function isAborting(em: object): boolean {
  const { signal, inflightQueryAbortStrategy } = em as {
    signal?: unknown;
    inflightQueryAbortStrategy?: unknown;
  };
  return signal != null || inflightQueryAbortStrategy != null;
}
