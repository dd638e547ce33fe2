import type { BackfillDirective, VerifyDirective } from './backfill/directive.ts';
import type { PartitionedIndexDirective } from './partitions/directive.ts';
import type { Phase } from './phases/directive.ts';
import type { Substitution } from './references.ts';

/** One statement as it is sent to the server. */
export interface Statement {
  readonly text: string;
  /** The line of the file on which it begins, counted from 1. */
  readonly line: number;
  /** Where values of the environment come in, under `-- +goose ENVSUB ON`. */
  readonly substitutions?: readonly Substitution[];
  /** They have come in, and the text must not be shown to anybody: this is what the file says instead. */
  readonly written?: string;
  /** What a comment above it asks of this engine. */
  readonly directive?: BackfillDirective | VerifyDirective | PartitionedIndexDirective;
}

/** Something in a file that is allowed and probably not meant. */
export interface ParseNote {
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

/** A migration file, read. */
export interface ParsedMigration {
  readonly up: readonly Statement[];
  /** Undefined when the file has no Down section: it cannot be reverted. */
  readonly down: readonly Statement[] | undefined;
  /** `NO TRANSACTION`: statement by statement, each committed by itself. */
  readonly transactional: boolean;
  readonly notes: readonly ParseNote[];
  /** What the file declares of itself; see its directive. */
  readonly phase?: Phase;
}

/** How to read a file. */
export interface ParseOptions {
  /** Refuse a file without `-- +goose Up`, as goose does. By default such a file is Up as a whole. */
  readonly requireAnnotations?: boolean;
  /** Without a transaction, whatever the file says. */
  readonly withoutTransaction?: boolean;
}

/** Whether values of the environment have come into the statement. */
export const hasValues = ({ written }: Statement): boolean => written !== undefined;
