/** The word that a statement begins with, behind white space, parentheses and comments. */
const FIRST_WORD = /^(?:\s|\(|--[^\n]*\n|\/\*(?:[^*]|\*(?!\/))*\*\/)*([a-z]+)/i;
/** What PostgreSQL plans, and so plans anew when a table changes. */
const PLANNED: ReadonlySet<string | undefined> = new Set([
  'select',
  'with',
  'values',
  'table',
  'insert',
  'update',
  'delete',
  'merge',
]);

/**
 * Whether a prepared statement keeps its columns, or is refused (0A000) when it cannot. FETCH has those of the cursor that has the
 * name then, and EXECUTE those of a statement: two calls of one text may answer with other ones.
 */
export const hasFixedColumns = (text: string): boolean =>
  PLANNED.has(FIRST_WORD.exec(text)?.[1]?.toLowerCase());
