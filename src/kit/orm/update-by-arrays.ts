import type { Dictionary, EntityMetadata, LoggingOptions, QueryResult, Transaction } from '@mikro-orm/core';
import { arrayStatement } from './array-statement.ts';
import { arrayUpdate, type ArrayUpdate } from './array-update.ts';
import { batchUpdate } from './batch-update.ts';
import type { DataDriver } from './data-driver.ts';
import { flushesQuickly } from './layer-options.ts';
import { livePredicates } from './live-predicates.ts';

/** As far as they matter here; the core's own flush hands them over like this. */
interface Options {
  readonly schema?: string;
  readonly ctx?: Transaction;
  readonly processCollections?: boolean;
  readonly convertCustomTypes?: boolean;
  readonly loggerContext?: LoggingOptions;
  readonly signal?: unknown;
  readonly inflightQueryAbortStrategy?: unknown;
}

/**
 * Updates the rows of a flush by one prepared statement with an array for each column, where the core writes a text with a CASE
 * for each column and all values in it. Undefined, and nothing was sent, for a batch that has to go the core's way.
 */
export async function updateByArrays(
  driver: DataDriver,
  meta: EntityMetadata,
  conditions: readonly unknown[],
  rows: readonly Dictionary[],
  options: Options,
): Promise<QueryResult<Dictionary> | undefined> {
  if (!flushesQuickly(driver.config) || !isOfFlush(options) || !isPlainTable(meta)) return undefined;
  const batch = batchUpdate(meta, conditions, rows, driver.getPlatform());
  if (!batch) return undefined;
  const quote = (name: string) => driver.getPlatform().quoteIdentifier(name);
  const returning = batch.returning.map((column) => `"t".${quote(column)}`);
  const target = { ...livePredicates(driver, meta, options.schema), computed: versionOf(driver, meta) };
  const { text, values } = arrayUpdate({ ...batch, ...target, returning } satisfies ArrayUpdate, quote);
  const statement = arrayStatement(text);
  if (!statement || driver.config.get('onQuery')(text, values) !== text) return undefined;
  const connection = driver.getConnection('write');
  const query = { ...statement, values };
  const found = await connection.executeNamed<Dictionary>(
    query,
    options.ctx as object,
    options.loggerContext,
  );
  return { affectedRows: found.length, insertId: undefined as never, row: found[0] as never, rows: found };
}

/** What `em.nativeUpdateMany` may ask for beside the update, or how its values are to be converted, is the core's business. */
function isOfFlush({ processCollections, convertCustomTypes, signal, inflightQueryAbortStrategy }: Options) {
  const isPlain = processCollections === false && convertCustomTypes === false;
  return isPlain && signal == null && inflightQueryAbortStrategy == null;
}

/** Of a table per type, each table has only some of the properties; and concurrency checks are more than the key. */
function isPlainTable(meta: EntityMetadata): boolean {
  return meta.inheritanceType !== 'tpt' && !meta.view && meta.getOwnConcurrencyCheckKeys().length === 0;
}

/** How an update counts the version up, as SQL; empty where the class has none of its own. */
export function versionOf(driver: DataDriver, meta: EntityMetadata): string[] {
  const prop = meta.ownsVersionProperty() ? meta.properties[meta.versionProperty] : undefined;
  if (!prop) return [];
  const column = driver.getPlatform().quoteIdentifier(prop.fieldNames[0] ?? '');
  const isInstant = prop.runtimeType === 'Date';
  const now = driver.getPlatform().getCurrentTimestampSQL(prop.length);
  return [`${column} = ${isInstant ? now : `"t".${column} + 1`}`];
}
