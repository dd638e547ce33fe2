import { RestoreError } from './restore-error.ts';

declare const BATCH: unique symbol;

/** The id of rows that fell together. Another text is none: {@link batchId} makes one of what came from outside. */
export type BatchId = string & { readonly [BATCH]: true };

const FORM = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Takes the id of a batch from a request or a command line.
 *
 * @throws RestoreError `DELETION.UNKNOWN_BATCH` for a text that can be none.
 */
export function batchId(text: string): BatchId {
  if (!FORM.test(text)) throw RestoreError.unknownBatch();
  return text.toLowerCase() as BatchId;
}
