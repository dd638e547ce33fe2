interface Platform {
  formatQuery(sql: string, params: readonly unknown[]): string;
}

const PLACEHOLDER = /\$(\d+)/g;

/** The text of a prepared statement as it would be sent without preparing it, for a log that shows values. */
export function withValues(platform: Platform, text: string, values: readonly unknown[]): string {
  const inOrder = [...text.matchAll(PLACEHOLDER)].map((match) => shown(values[Number(match[1]) - 1]));
  return platform.formatQuery(text.replaceAll('?', String.raw`\?`).replace(PLACEHOLDER, '?'), inOrder);
}

/** A list is one value here, where the ORM would make it several. */
function shown(value: unknown): unknown {
  return Array.isArray(value) ? `{${value.map(element).join(',')}}` : value;
}

type Scalar = string | number | bigint | boolean;

function element(item: unknown): string {
  if (item === null || item === undefined) return 'NULL';
  if (item instanceof Date) return JSON.stringify(item.toISOString());
  return JSON.stringify(typeof item === 'object' ? JSON.stringify(item) : String(item as Scalar));
}
