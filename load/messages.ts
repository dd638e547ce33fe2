import type { Heard } from './background/outbox-reader.ts';
import type { Measured } from './meter.ts';
import type { Seen } from './sightings.ts';
import type { Told } from './told.ts';

/** What one process of callers is to do. */
export interface Assignment {
  readonly index: number;
  readonly callers: number;
  readonly connections: number;
  readonly seed: number;
}

/** Instants of `clock.ts`: until the first one it only warms up. */
export interface Span {
  readonly from: number;
  readonly until: number;
  readonly aggregateEveryMs: number;
}

/** What the callers of one process found. */
export interface Results {
  readonly measured: Readonly<Record<string, Measured>>;
  /** A sentence for each kind of failure. */
  readonly messages: readonly string[];
  readonly told: Told;
  readonly seen: Seen;
  /** When the last call ended. */
  readonly ended: number;
}

/** To a process of callers, in this order. */
export type Order =
  { readonly type: 'begin'; readonly span: Span } | { readonly type: 'drain' } | { readonly type: 'leave' };

/** From it, one for each order, and the first one unasked. */
export type Word =
  | { readonly type: 'ready' }
  | { readonly type: 'stopped'; readonly results: Results }
  | { readonly type: 'drained'; readonly heard: Heard };
