import type { PopulateOptions } from '@mikro-orm/core';
import { copyHints } from './settled-populate.ts';

/** A statement that the ORM has made and that was not sent, and its builder, which knows the aliases of its joins. */
export interface CapturedStatement {
  sql?: string;
  params?: readonly unknown[];
  builder?: object;
  /** How many statements the call has made. */
  count?: number;
  /** What a read was told to populate, as the entity manager has understood it. */
  populate?: readonly PopulateOptions<object>[];
  /** Flags of the read, by which a condition adds to what is populated. */
  flags?: readonly unknown[];
}

/** A word, and behind it a function: what is logged is merged from several objects, key by key, and other objects are copied. */
const CAPTURE = 'tombstone.capture';

/** What is logged of a call, with the order to keep its statement instead of sending it. */
export function capturing(logging: object | undefined, sink: CapturedStatement): object {
  return { ...logging, [CAPTURE]: () => sink };
}

/** Where a call's statement is to be kept; undefined for one that is to be sent. */
export function captureOf(logging: unknown): CapturedStatement | undefined {
  return (logging as { [CAPTURE]?: () => CapturedStatement } | undefined)?.[CAPTURE]?.();
}

/** Keeps what a read is told to populate, before the core's driver and its builder add to it, and hands its options on. */
export function keepPopulate<T extends { readonly populate?: unknown; readonly flags?: readonly unknown[] }>(
  sink: CapturedStatement,
  options: T,
): T {
  const { populate = [], flags = [] } = options;
  Object.assign(sink, { populate: copyHints(populate as PopulateOptions<object>[]), flags: [...flags] });
  return options;
}
