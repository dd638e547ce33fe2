import type {
  DeletionError,
  ErasureErrorCode,
  HoldErrorCode,
  RestoreErrorCode,
  RetentionErrorCode,
} from '../kit/deletion/index.ts';
import { EXIT, EXIT_OF } from './exit-codes.ts';

/** How a command ends that meets an error of deletions and restores. */
export interface DeletionExit {
  readonly exit: number;
  readonly meaning: string;
  /** What to do on the command line; the error's own sentence speaks of the library. */
  readonly remedy: string;
}

const UNUSABLE = { exit: 68, meaning: 'journal or policies cannot be used' };

/** As shells know it: 128 and the number of the signal. A service manager ends a job by SIGTERM, a person by Ctrl-C. */
export const INTERRUPTED = { SIGINT: 130, SIGTERM: 143 } as const;

/** The guard of live parents refuses what a restore of one row by itself brings back; no other command meets it. */
type GuardCode = 'DELETION.DEAD_PARENT';

type DeletionCode =
  | RestoreErrorCode
  | ErasureErrorCode
  | RetentionErrorCode
  | HoldErrorCode
  | DeletionError['code']
  | GuardCode;

/** One line for each code; numbers are an interface: a new one is added, none is reused. */
export const DELETION_EXITS: Readonly<Record<DeletionCode, DeletionExit>> = {
  'DELETION.UNKNOWN_BATCH': {
    exit: 60,
    meaning: 'the journal has no such batch',
    remedy: 'take an id that trash list prints',
  },
  'DELETION.ALREADY_RESTORED': {
    exit: 61,
    meaning: 'the batch was restored before',
    remedy: 'trash show BATCH tells when and by whom',
  },
  'DELETION.PURGED_BATCH': {
    exit: 62,
    meaning: 'the rows of the batch were removed for good',
    remedy: 'take them from a backup',
  },
  'DELETION.INCOMPLETE_BATCH': {
    exit: 63,
    meaning: 'some rows of the batch were changed since',
    remedy: 'trash show BATCH names them, and --changed skip restores the others',
  },
  'DELETION.RESTORE_CONFLICT': {
    exit: 64,
    meaning: 'live or deleted rows stand in the way of a restore',
    remedy: 'trash show BATCH names them',
  },
  'DELETION.NEVER_DELETED': {
    exit: 65,
    meaning: 'the row is not deleted',
    remedy: 'take a key that trash list --rows ENTITY prints',
  },
  'DELETION.NOT_JOURNALED': {
    exit: 66,
    meaning: 'the row was deleted without the journal',
    remedy: 'lift its mark in a program, with restoreByKey of its repository',
  },
  'DELETION.PART_OF_BATCH': {
    exit: 67,
    meaning: 'the row fell because of another one',
    remedy: 'restore the batch that the message names',
  },
  'DELETION.NO_JOURNAL': { ...UNUSABLE, remedy: 'list deletionJournal among the modules, then migrate up' },
  'DELETION.CONTRADICTION': { ...UNUSABLE, remedy: 'the message names the foreign key and what to change' },
  'DELETION.UNDECLARED': { ...UNUSABLE, remedy: 'the message names the foreign key and what to declare' },
  'DELETION.NOT_REGISTERED': { ...UNUSABLE, remedy: 'name an entity that trash list names' },
  'DELETION.QUERY_BUILDER': { ...UNUSABLE, remedy: 'the message names the other way' },
  'DELETION.FLUSH_ORDER': { ...UNUSABLE, remedy: 'the message says what to flush first' },
  'DELETION.RESISTED': { ...UNUSABLE, remedy: 'look at the triggers and rules of the table' },
  'ERASURE.NO_ROW': {
    exit: 69,
    meaning: 'there is no row to erase',
    remedy: 'correct the key; several values are a JSON array',
  },
  'ERASURE.HELD': { exit: 70, meaning: 'rows are held', remedy: 'release the holds first' },
  'ERASURE.REFERENCED': {
    exit: 71,
    meaning: 'other rows refer to what was to be removed',
    remedy: 'erase these rows first, or scrub the row with --null and --set',
  },
  'ERASURE.COLUMN': {
    exit: 72,
    meaning: 'a property cannot be scrubbed',
    remedy: 'correct --null and --set',
  },
  'ERASURE.NO_REASON': { exit: 73, meaning: 'an erasure has no reason', remedy: 'add --reason' },
  'ERASURE.RESISTED': {
    exit: 74,
    meaning: 'the database keeps a row that was to be removed',
    remedy: 'the message names the table, whose triggers and rules tell why',
  },
  'ERASURE.NO_TABLE': { ...UNUSABLE, remedy: 'migrate up' },
  'DELETION.SCOPE': { ...UNUSABLE, remedy: 'the message names the other way' },
  'DELETION.DEAD_PARENT': {
    exit: 75,
    meaning: 'the row that a live one would refer to is deleted',
    remedy: 'restore that row first',
  },
  'RETENTION.BAD_INTERVAL': {
    exit: 76,
    meaning: 'an interval is none',
    remedy: "--older-than takes one as '30 days'; those of policies are in the program",
  },
  'RETENTION.BAD_BATCH_SIZE': {
    exit: 77,
    meaning: 'a batch has no such size',
    remedy: 'correct --batch-size, or leave it out',
  },
  'RETENTION.NO_POLICY': {
    exit: 78,
    meaning: 'no retention policy says when rows may go',
    remedy: 'name entities that have a policy, or leave --entity out',
  },
  'RETENTION.NO_TENANT': {
    exit: 79,
    meaning: 'a retention policy names no tenant',
    remedy: 'leave --tenant out, or name another entity',
  },
  'RETENTION.UNKNOWN_ENTITY': { ...UNUSABLE, remedy: 'name an entity of the configuration' },
  'RETENTION.NOT_SOFT_DELETABLE': { ...UNUSABLE, remedy: 'name an entity that trash list names' },
  'RETENTION.HALF_TABLE': { ...UNUSABLE, remedy: 'the message names the entity that the policy belongs to' },
  'RETENTION.IN_TRANSACTION': { ...UNUSABLE, remedy: 'run it again' },
  'RETENTION.NO_TABLE': { ...UNUSABLE, remedy: 'migrate up' },
  'HOLD.NO_ROW': {
    exit: 80,
    meaning: 'there is no row to hold',
    remedy: 'correct --key; several values are a JSON array',
  },
  'HOLD.UNKNOWN': {
    exit: 81,
    meaning: 'there is no such hold',
    remedy: 'take an id that trash holds prints',
  },
  'HOLD.RELEASED': {
    exit: 82,
    meaning: 'the hold was released before',
    remedy: 'trash holds --released tells when and by whom',
  },
  'HOLD.NO_REASON': { exit: 83, meaning: 'a hold has no reason', remedy: 'give --reason a text' },
  'HOLD.NO_TABLE': { ...UNUSABLE, remedy: 'migrate up' },
  'HOLD.UNKNOWN_ENTITY': { ...UNUSABLE, remedy: 'migrate up, or name another entity' },
};

/** What `trash --help` lists. */
export function deletionExitLines(): string[] {
  const own = Object.values(DELETION_EXITS).map(({ exit, meaning }): [number, string] => [exit, meaning]);
  const lines = new Map<number, string>([
    [EXIT.done, 'done'],
    [EXIT.failed, 'failed unexpectedly'],
    [EXIT.usage, 'wrong usage, nothing was touched'],
    [EXIT_OF['MIGRATION.UNREACHABLE'], 'the server cannot be reached, or the connection was lost'],
    [EXIT_OF['MIGRATION.WRONG_PASSWORD'], 'the server refused the login'],
    [EXIT_OF['MIGRATION.NO_DATABASE'], 'there is no such database'],
    ...own,
    [INTERRUPTED.SIGINT, 'interrupted behind a batch; the next purge goes on'],
    [INTERRUPTED.SIGTERM, 'the same, by SIGTERM'],
  ]);
  return [...lines].map(([code, meaning]) => `${String(code).padStart(4)}  ${meaning}`);
}
