import { BigIntType, type EntityMetadata, type LoggingOptions, RawQueryFragment } from '@mikro-orm/core';
import { currentScope, isSoftDeletable } from '../soft-delete/index.ts';
import { type CapturedStatement, capturing } from './captured-statement.ts';
import type { DataDriver } from './data-driver.ts';
import type { DataEntityManager } from './data-entity-manager.ts';
import { ownDeletionOf } from './own-deletion.ts';
import { forgetDeleted } from './written-rows.ts';

interface Marked {
  readonly affectedRows: number;
  readonly rows?: Record<string, unknown>[];
}

/** The statement for one entity and the keys of one type. */
interface Plan {
  readonly sql: string;
  values(key: unknown): unknown[];
}

/** By driver, entity, schema and type of the key: the ORM's own statement, or that it is not one that only the key changes. */
const plans = new WeakMap<DataDriver, Map<EntityMetadata, Map<string, Plan | undefined>>>();

/**
 * Marks the row of a key as deleted by the statement that the ORM has made for the first one; most of a delete by key is to make
 * it. Undefined where the ORM has to make it each time: in a scope, with a filter or a session context of the program, and for a
 * key or a class whose statement holds more than the key.
 */
export async function markByPlan(
  own: DataEntityManager,
  meta: EntityMetadata,
  key: unknown,
): Promise<number | undefined> {
  const em = own.getContext(false);
  if (!mayPlan(em, meta, key)) return undefined;
  const plan = await planOf(em, meta, key);
  if (!plan) return undefined;
  const context = { id: em.id, ...em.getLoggerContext() } as LoggingOptions;
  const ctx: object | undefined = em.getTransactionContext();
  const sent = em.getDriver().getConnection('write').execute(plan.sql, plan.values(key), 'run', ctx, context);
  const { affectedRows, rows } = (await sent) as unknown as Marked;
  if (affectedRows > 0) forgetDeleted(em, meta, rows ?? []);
  return affectedRows;
}

function mayPlan(em: DataEntityManager, meta: EntityMetadata, key: unknown): boolean {
  if (typeof key !== 'string' && typeof key !== 'number' && typeof key !== 'bigint') return false;
  if (currentScope() || !isSoftDeletable(meta) || ownDeletionOf(meta)) return false;
  if (em.getDriver().isFiltered()) return false;
  if (em.getTransactionSessionContext() || isAborting(em)) return false;
  const [prop, ...others] = meta.getPrimaryProps();
  // A type of the program's own may make another value of each key.
  const isPlain = prop?.customType === undefined || prop.customType instanceof BigIntType;
  return others.length === 0 && isPlain && prop?.fieldNames.length === 1;
}

async function planOf(em: DataEntityManager, meta: EntityMetadata, key: unknown): Promise<Plan | undefined> {
  const driver = em.getDriver();
  const ofDriver = plans.get(driver) ?? new Map<EntityMetadata, Map<string, Plan | undefined>>();
  plans.set(driver, ofDriver);
  const ofMeta = ofDriver.get(meta) ?? new Map<string, Plan | undefined>();
  ofDriver.set(meta, ofMeta);
  const kind = `${typeof key} ${em.schema ?? ''}`;
  if (ofMeta.has(kind)) return ofMeta.get(kind);
  const sink: CapturedStatement = {};
  const options = { loggerContext: capturing(undefined, sink), schema: em.schema };
  await driver.nativeDelete(meta.class, { [meta.primaryKeys[0] as string]: key }, options as never);
  const plan = planFor(sink, key);
  ofMeta.set(kind, plan);
  return plan;
}

/** Beside the key it may hold what the database is asked for at each run, such as `now()`. */
function planFor({ sql, params = [] }: CapturedStatement, key: unknown): Plan | undefined {
  const others = params.filter((param) => param !== key);
  const isOfKey = others.length === params.length - 1 && others.every(isInstant);
  if (sql === undefined || !isOfKey) return undefined;
  return { sql, values: (own) => params.map((param) => (param === key ? own : param)) };
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
