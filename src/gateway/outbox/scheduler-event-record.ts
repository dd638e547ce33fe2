import type { Id } from '../../kit/columns/index.ts';
import { InvalidInputError } from '../../kit/errors/index.ts';
import { storedInstant } from '../../kit/orm/index.ts';

/**
 * A place in the order of the events: by the transaction that wrote them, and within one by id. Keep it as it is; to compare
 * ids alone loses events.
 */
export interface OutboxPosition {
  readonly txid: string;
  readonly id: Id;
}

/** Before every event. `{ txid: '0', id }` is after those that were read by id alone, before the database knew the order. */
export const OUTBOX_START: OutboxPosition = { txid: '0', id: '0' };

/** A stored event. The type is a plain text, because whoever wrote it may know more of them than the reader. */
export interface SchedulerEventRecord {
  readonly id: Id;
  readonly eventType: string;
  readonly accountId: Id | null;
  readonly groupId: Id | null;
  readonly payload: Readonly<Record<string, unknown>> | null;
  readonly createdAt: Date;
  /** What the consumer stores once it has applied the event. */
  readonly position: OutboxPosition;
}

/** A row as the table has it. */
export interface SchedulerEventRow {
  readonly id: Id;
  readonly event_type: string;
  readonly account_id: Id | null;
  readonly group_id: Id | null;
  readonly payload: Readonly<Record<string, unknown>> | null;
  readonly created_at: string;
  readonly txid: string;
}

export function schedulerEventRecord(row: SchedulerEventRow): SchedulerEventRecord {
  return {
    id: row.id,
    eventType: row.event_type,
    accountId: row.account_id,
    groupId: row.group_id,
    payload: row.payload,
    createdAt: storedInstant(row.created_at),
    position: { txid: row.txid, id: row.id },
  };
}

const DIGITS = /^(0|[1-9]\d{0,19})$/;
const LARGEST_TXID = 2n ** 64n - 1n;
const LARGEST_ID = 2n ** 63n - 1n;

/** @throws InvalidInputError (code VALIDATION) for anything but a position. */
export function checkPosition(field: string, position: OutboxPosition): OutboxPosition {
  const { txid, id } = (position ?? {}) as Partial<OutboxPosition>;
  if (isUpTo(txid, LARGEST_TXID) && isUpTo(id, LARGEST_ID)) return { txid, id };
  throw new InvalidInputError(field, 'be a position: txid and id as decimal strings');
}

function isUpTo(value: unknown, largest: bigint): value is string {
  return typeof value === 'string' && DIGITS.test(value) && BigInt(value) <= largest;
}
