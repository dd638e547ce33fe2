import { tokens } from '../../lexer.ts';
import type { Session } from '../../session.ts';

/** Whether an expression may give every row another value, so that a new column with it would have to be written into each. */
export async function isVolatile(session: Session, expression: string): Promise<boolean> {
  const bare = [...tokens(expression)]
    .filter(({ kind, start }) => kind !== 'comment' && (kind !== 'literal' || expression[start] === '"'))
    .map(({ start, end }) => expression.slice(start, end))
    .join(' ');
  const called = [...bare.matchAll(/("(?:[^"]|"")*"|[\w$]+) *\(/g)].map(([, name = '']) =>
    name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name,
  );
  const sql = `select from pg_catalog.pg_proc where provolatile = 'v' and proname = any ($1::text[]) limit 1`;
  return called.length > 0 && (await session.query(sql, [called])).length > 0;
}
