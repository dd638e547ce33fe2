import { createHash } from 'node:crypto';

/** Holds true in a live row and NULL in a deleted one, so that a key which it is part of binds live rows only. */
export const LIVE_COLUMN = 'tombstone_live';

/** PostgreSQL cuts longer names without an error. */
const LONGEST = 63;

/** What is added to a table, as it is named there. */
export const liveNames = {
  check: (table: string) => fitting(table, `_${LIVE_COLUMN}_check`),
  function: (table: string) => fitting(table, `_${LIVE_COLUMN}`),
  trigger: () => LIVE_COLUMN,
  key: (table: string, columns: readonly string[]) =>
    fitting([table, ...columns].join('_'), `_${LIVE_COLUMN}_key`),
  index: (table: string, columns: readonly string[]) =>
    fitting([table, ...columns].join('_'), `_${LIVE_COLUMN}_idx`),
  /** Errors are told apart by its ending. */
  foreignKey: (table: string, columns: readonly string[]) =>
    fitting([table, ...columns].join('_'), `_${LIVE_COLUMN}_fkey`),
};

/** Two long names that begin alike stay two. */
function fitting(base: string, ending: string): string {
  if (bytes(base + ending) <= LONGEST) return base + ending;
  const digest = `_${createHash('sha256').update(base).digest('hex').slice(0, 8)}`;
  let head = Array.from(base);
  while (bytes(head.join('') + digest + ending) > LONGEST) head = head.slice(0, -1);
  return head.join('') + digest + ending;
}

const bytes = (text: string): number => Buffer.byteLength(text);

const DROP =
  /^(?:drop (?:index|trigger|function)|alter table .* drop (?:constraint|column)) .*"(?:[^"]|"")*tombstone_live/s;

/** Whether a statement that compares a database with entities would take a part of the guarantee away: no entity declares it. */
export const dropsLiveParent = (statement: string): boolean => DROP.test(statement);
