import type { DomainError } from './domain-errors.ts';
import type { DriverErrorLike } from './driver-error-summary.ts';

const LIVE_CHILDREN: DomainError = {
  code: 'DELETION.LIVE_CHILDREN',
  status: 409,
  message:
    'The row was not deleted: live rows refer to it, and a live row needs a live parent. Delete or move those first, or let its class delete by policies.',
};

const DEAD_PARENT: DomainError = {
  code: 'DELETION.DEAD_PARENT',
  status: 409,
  message:
    'The row that this one refers to is deleted or does not exist, and a live row needs a live parent. Restore that first, or refer to another one.',
};

/** The ending of the names that "tombstone live-parent" gives to its foreign keys. */
const NAME = /_tombstone_live_fkey$/;

/**
 * What a violated guarantee of a live parent means. PostgreSQL has one SQLSTATE for both directions; its sentence names the parent,
 * the constraint and the child when the parent was written, and only two of them when the child was, whatever its language.
 */
export function liveParentRefusal({
  code,
  constraint,
  table,
  message,
}: DriverErrorLike): DomainError | undefined {
  if (code !== '23503' || !constraint || !NAME.test(constraint)) return undefined;
  const bare = [constraint, table ?? ''].reduce(
    (text, name) => (name ? text.replaceAll(name, '') : text),
    message,
  );
  const marks = bare.match(/["'«»„“”‹›「」『』]/gu)?.length ?? 0;
  return marks > 4 ? LIVE_CHILDREN : DEAD_PARENT;
}
