import type { BackfillEvent } from './backfill/event.ts';
import type { ReplicaEvent } from './backfill/replicas.ts';
import type { MigrationNote } from './files.ts';
import type { LockHolder } from './lock-holder.ts';
import type { StatementProgress } from './progress/statement-progress.ts';

/** What the run of one file tells. */
export type ExecutionEvent =
  | {
      /** A lock was not granted in time; the whole file (or statement of a NO TRANSACTION file) is tried again. */
      readonly type: 'retrying';
      readonly name: string;
      /** Attempts so far. */
      readonly attempt: number;
      readonly of: number;
      readonly pauseMs: number;
      readonly sqlState: string | undefined;
    }
  | {
      /** A NO TRANSACTION file that an earlier run began goes on behind what is done. */
      readonly type: 'resuming';
      readonly name: string;
      /** Counted from 1. */
      readonly statement: number;
      readonly of: number;
    }
  | {
      /** An invalid index that a failed build had left was dropped; the build follows. */
      readonly type: 'removed-remains';
      readonly name: string;
      /** Null when its name holds a value of the environment, which is shown to nobody. */
      readonly index: string | null;
    }
  | {
      /** The index of one partition was built, for a statement below the directive `partitioned-index`. */
      readonly type: 'partition-index';
      readonly name: string;
      /** With its schema; null when its name holds a value of the environment. */
      readonly partition: string | null;
      /** Partitions whose index is there. */
      readonly built: number;
      readonly of: number;
    }
  | BackfillEvent
  | ReplicaEvent;

/** What a run tells while it goes on. */
export type MigrationEvent =
  | ExecutionEvent
  | StatementProgress
  | ({ readonly type: 'note' } & MigrationNote)
  | {
      readonly type: 'waiting-for-lock';
      readonly ms: number;
      /** Who holds it; undefined when it has just been given back. */
      readonly holder: LockHolder | undefined;
    }
  | { readonly type: 'start'; readonly name: string; readonly index: number; readonly total: number }
  | {
      readonly type: 'applied' | 'reverted';
      readonly name: string;
      readonly index: number;
      readonly total: number;
      readonly ms: number;
    };
