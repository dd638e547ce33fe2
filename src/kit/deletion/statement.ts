/** SQL with `?` for its parameters, in their order. */
export interface Statement {
  readonly sql: string;
  readonly params: readonly unknown[];
}

/** A value, or a piece of SQL with parameters of its own. */
export type Values = Readonly<Record<string, unknown>>;

/** Names of tables and constraints may hold the sign that stands for a parameter. */
export function withoutSigns(sql: string): string {
  return sql.replaceAll('?', '\\?');
}

/** What stands in quotes is a name or a literal, whatever signs it holds. */
const PLACES = /"(?:[^"]|"")*"|'(?:[^']|'')*'|\$([a-z]+)\b/g;

/** Puts values in the places of `$name`, in the order in which they stand, and pieces of SQL with their parameters. */
export function statement(text: string, values: Values): Statement {
  const params: unknown[] = [];
  const filled = (source: string): string =>
    source.replaceAll(PLACES, (sign, name: string | undefined) => {
      if (name === undefined || !(name in values)) return sign;
      const value = values[name];
      if (isStatement(value)) {
        params.push(...value.params);
        return value.sql;
      }
      params.push(value ?? null);
      return '?';
    });
  const sql = filled(withoutSigns(text));
  // Without parameters the driver sends the text as it is, backslashes too.
  return { sql: params.length === 0 ? filled(text) : sql, params };
}

function isStatement(value: unknown): value is Statement {
  return typeof value === 'object' && value !== null && 'sql' in value && 'params' in value;
}
