import type { EntityClass } from '@mikro-orm/core';
import type { BatchId } from '../kit/deletion/index.ts';
import type { DataEntityManager } from '../kit/orm/index.ts';
import { UsageError } from './exit-codes.ts';

/** @throws UsageError for a text that is the id of no batch. */
export async function batchArgument(text: string): Promise<BatchId> {
  const { batchId, RestoreError } = await import('../kit/deletion/index.ts');
  try {
    return batchId(text);
  } catch (error) {
    if (!(error instanceof RestoreError)) throw error;
    throw new UsageError('That is no id of a batch. Take one as "trash list" prints it.', { cause: error });
  }
}

/**
 * Runs a look-up by a key of the command line.
 *
 * @throws UsageError when the key is none of the entity's type.
 */
export async function keyOf<T>(entity: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if ((error as { code?: string }).code !== 'DATA.INVALID') throw error;
    throw noKey(entity, error);
  }
}

/** The values of a key of several columns. */
function partsOf(entity: string, key: string): readonly unknown[] {
  try {
    const parts: unknown = JSON.parse(key);
    if (Array.isArray(parts)) return parts;
  } catch (error) {
    throw noKey(entity, error);
  }
  throw noKey(entity);
}

/**
 * A key of the command line, of one column or of several.
 *
 * @throws UsageError when one of several is no JSON array.
 */
export function keyFor(em: DataEntityManager, entity: EntityClass<object>, text: string): unknown {
  const { primaryKeys, className } = em.getMetadata().get(entity);
  return primaryKeys.length === 1 ? text : partsOf(className, text);
}

function noKey(entity: string, cause?: unknown): UsageError {
  return new UsageError(
    `That is no key of ${entity}. Take one as "trash list --rows ${entity}" prints it; several values are a JSON array.`,
    { cause },
  );
}

/** The number of `--limit`. */
export function limit(text: string): number {
  const number = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= 1000) return number;
  throw new UsageError('--limit takes a whole number from 1 to 1000.');
}

const TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2}))?$/;

/** The instant of `--since`. */
export function since(text: string): Date {
  const time = new Date(TIME.test(text) ? text : Number.NaN);
  const day = new Date(text.slice(0, 10));
  // JavaScript takes the 30th of February for the 2nd of March.
  const isDay = !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text.slice(0, 10));
  if (isDay && !Number.isNaN(time.getTime())) return time;
  throw new UsageError('--since takes a day, or an instant with its zone: 2026-11-27T09:30:00Z.');
}
