import type { EntityManager, EntityMetadata, LoggingOptions } from '@mikro-orm/core';
import { type ArrayColumn, arrayText, keyOrder } from './array-column.ts';
import { arrayStatement } from './array-statement.ts';
import { arrayUpdate, type SetColumn } from './array-update.ts';
import type { DataConnection } from './data-connection.ts';
import type { DataDriver } from './data-driver.ts';
import { livePredicates } from './live-predicates.ts';
import type { PreparedStatement } from './prepared-statement.ts';
import type { QuickChange } from './quick-changes.ts';

/** Changes of one class in one schema, as one statement with its values. */
export interface QuickUpdate {
  readonly meta: EntityMetadata;
  readonly changes: readonly QuickChange[];
  readonly statement: PreparedStatement;
  readonly values: readonly unknown[];
  /** Properties that the database sets, in the order of the columns v0, v1 … of the answer. */
  readonly constants: readonly string[];
  /** Whether all rows have to be there, as soft delete and a version demand. */
  readonly isGuarded: boolean;
}

/** The answer of the statement: one row for all, where there are several. */
export interface QuickAnswer {
  /** The number of rows that were updated. */
  readonly count: number;
  /** Which of the given rows these were, from 1; null where it is all of them and they have the same values. */
  readonly places: readonly string[] | null;
  /** `v0` is the value of all rows, `a0` the list of values, in the order of `places`, where they differ. */
  readonly [value: string]: unknown;
}

/** The changes of one class in the order in which their rows are to be locked; undefined where a key does not fit into arrays. */
export function inLockOrder(
  em: EntityManager,
  changes: readonly QuickChange[],
): readonly QuickChange[] | undefined {
  const keys = keysOf(em, changes);
  const order = keys && keyOrder(keys);
  return keys && order ? order.map((place) => changes[place] as QuickChange) : keys && changes;
}

/** Undefined for a change whose key does not fit into arrays, and for more texts than are prepared. */
export function quickUpdate(
  em: EntityManager,
  changes: readonly QuickChange[],
  schema: string | undefined,
  isAlone: boolean,
): QuickUpdate | undefined {
  const driver = em.getDriver() as unknown as DataDriver;
  const [{ meta, plan }] = changes as [QuickChange];
  const version = plan.version?.fieldNames[0];
  const keys = keysOf(em, changes);
  const names = [...new Set(changes.flatMap(({ payload }) => Object.keys(payload)))];
  const constants = Object.keys((changes[0] as QuickChange).constants);
  const sets = names.map((name) => setOf(em, name, plan.columns.get(name) ?? '', changes));
  if (!keys) return undefined;
  const quote = (name: string) => driver.getPlatform().quoteIdentifier(name);
  const columns = constants.map((name) => plan.columns.get(name) ?? '');
  const fixed = columns.map((column, n): SetColumn => {
    return { column, values: changes[0]?.constants[constants[n] ?? ''] ?? '' };
  });
  const target = livePredicates(driver, meta, schema);
  const returning = ['"u".n', ...columns.map((column, n) => `"t".${quote(column)} as v${n}`)];
  const computed = version === undefined ? [] : [`${quote(version)} = "t".${quote(version)} + 1`];
  const update = { ...target, keys, sets: [...sets, ...fixed], computed, returning, numbered: true };
  const { text, values } = arrayUpdate(update, quote);
  const isGuarded = target.live('t') !== '' || target.conditions.length > 0 || version !== undefined;
  const whole = changes.length > 1 ? summed(text, columns.length, isAlone && isGuarded) : text;
  const statement = driver.config.get('onQuery')(whole, values) === whole ? arrayStatement(whole) : undefined;
  return statement && { meta, changes, statement, values, constants, isGuarded };
}

/**
 * One row for the whole update, where RETURNING would give one for each: PostgreSQL and the driver spend on 200 of them as much as
 * on a quarter of the update.
 *
 * Alone, outside a transaction, a row that is missing has to undo the rest, and the one way to do that inside a statement is to
 * fail: the words that are no number are what the log of the server says.
 */
export function summed(update: string, count: number, isAlone: boolean): string {
  const all = 'count(*) = cardinality($1)';
  const indexes = Array.from({ length: count }, (_, n) => n);
  const differ = indexes.map((n) => ` or min(v${n}) is distinct from max(v${n})`).join('');
  const columns = [
    isAlone
      ? `case when ${all} then count(*)::int else (count(*) || ' of ' || cardinality($1) || ' rows are there')::int end as count`
      : 'count(*)::int as count',
    `case when not ${all}${differ} then array_agg(n) end as places`,
    ...indexes.map((n) => `min(v${n}) as v${n}`),
    ...indexes.map(
      (n) => `case when min(v${n}) is distinct from max(v${n}) then array_agg(v${n}) end as a${n}`,
    ),
  ];
  return `with w as (${update}) select ${columns.join(', ')} from w`;
}

/** Sends the statement: on its own, or in the transaction `ctx`. */
export async function sendQuickUpdate(
  em: EntityManager,
  { changes, statement, values }: QuickUpdate,
  ctx: object | undefined,
  loggerContext: LoggingOptions,
): Promise<QuickAnswer> {
  const connection = em.getConnection('write') as unknown as DataConnection;
  const query = { ...statement, values: [...values] };
  const rows = await connection.executeNamed<Omit<QuickAnswer, 'count'>>(query, ctx, loggerContext);
  return changes.length > 1 ? (rows[0] as QuickAnswer) : { ...rows[0], count: rows.length, places: null };
}

/** The primary key as it was loaded and the version that the entity has: another one is a row that is not there. */
function keysOf(em: EntityManager, changes: readonly QuickChange[]): ArrayColumn[] | undefined {
  const [{ meta, plan }] = changes as [QuickChange];
  const keys: ArrayColumn[] = [];
  for (const prop of [...meta.getPrimaryProps(), ...[plan.version ?? []].flat()]) {
    const [column = ''] = prop.fieldNames;
    const values: ArrayColumn['values'] = [];
    for (const { before, entity } of changes) {
      const value = prop.version
        ? (entity as Readonly<Record<string, unknown>>)[prop.name]
        : before[prop.name];
      const text = arrayText(value, em.getPlatform(), prop);
      if (text === null || text === undefined || prop.fieldNames.length !== 1) return undefined;
      values.push(text);
    }
    keys.push({ column, values });
  }
  return keys;
}

function setOf(em: EntityManager, name: string, column: string, changes: readonly QuickChange[]): SetColumn {
  const prop = changes[0]?.meta.properties[name as never];
  const values: ArrayColumn['values'] = [];
  let isGivenByAll = true;
  for (const { payload } of changes) {
    isGivenByAll &&= name in payload;
    values.push(arrayText(payload[name], em.getPlatform(), prop) ?? null);
  }
  return { column, values, given: isGivenByAll ? undefined : changes.map(({ payload }) => name in payload) };
}
