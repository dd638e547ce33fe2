import type { Session } from '../../session.ts';
import type { TimeoutOptions } from '../../timeouts.ts';
import type { AdoptionEvent } from '../adoption-event.ts';

/** The strongest lock on the table that a step takes, in PostgreSQL's words. */
export type TableLock =
  'ACCESS EXCLUSIVE' | 'SHARE ROW EXCLUSIVE' | 'SHARE UPDATE EXCLUSIVE' | 'ROW EXCLUSIVE' | 'none';

/** How long one lock was held, and on what. */
export interface HeldLock {
  /** Qualified. */
  readonly table: string;
  readonly lock: TableLock;
  /** From when the server granted it until the transaction had ended, in milliseconds. */
  readonly ms: number;
  /** The step took so long; when in it the lock was granted is not known. */
  readonly isAtMost?: boolean;
}

/** What a step works with. */
export interface StepContext {
  readonly session: Session;
  /** How long a lock is waited for, and how often; half a second and forty times when left out. */
  readonly timeouts?: TimeoutOptions;
  /** Tells progress; steps that go through rows tell after each batch. */
  tell(event: AdoptionEvent): void;
  /** Notes a lock that was held; the longest of each table is printed. */
  held(lock: HeldLock): void;
}

/** One change of the schema that brings an object to what the files make of it. Each is whole, or has not happened. */
export interface AlignStep {
  /** The same for the same change in every plan: `column public.users.balance: change the type`. */
  readonly id: string;
  /** Qualified. */
  readonly table: string;
  /** What it does, in a sentence for the plan. */
  readonly text: string;
  readonly lock: TableLock;
  run(context: StepContext): Promise<void>;
}

/** Why the schema or its rows cannot become ours as they are. */
export interface Blocker {
  readonly kind: 'duplicates' | 'orphans' | 'nulls' | 'values' | 'shape' | 'ledger' | 'rights';
  /** Qualified: a table, a column or an index. */
  readonly object: string;
  /** A sentence that ends with what to do, without any value of a row. */
  readonly text: string;
  /** How many rows it is about; undefined where it is not about rows. */
  readonly rows?: number;
  /** A query that lists them, for a person. */
  readonly query?: string;
}
