import { type Statement, tokensOf } from './parser.ts';

// The word tells a reason from a remark: `soft-delete: all rows` alone says what, not why.
const WAIVER = /^(?:\/\*+|--)\s*soft-delete:.*?\bbecause\s+\w/s;

/**
 * Whether a comment inside the statement says, with a reason, that it means dead rows too. PostgreSQL's scanner finds the
 * comments, so that the same words inside a string literal do not count.
 */
export async function isWaived(
  sql: string,
  { start, end }: Pick<Statement, 'start' | 'end'>,
): Promise<boolean> {
  const tokens = (await tokensOf(sql)) ?? [];
  return tokens.some(
    (token) =>
      token.start >= start &&
      token.end <= end &&
      (token.tokenName === 'C_COMMENT' || token.tokenName === 'SQL_COMMENT') &&
      WAIVER.test(token.text),
  );
}
