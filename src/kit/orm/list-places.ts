/** Where a list of a call's own stands in a statement of the ORM. */
export interface ListPlace {
  /** The text up to the list, and from its end on. */
  readonly before: string;
  readonly after: string;
}

const PLACES = /\\\?|\?\??/g;

/**
 * The place of a list of `count` values of which the first is parameter `first`, as ` in (?, ?, …)`; undefined where it stands
 * otherwise, or where a name is among the parameters.
 */
export function listPlace(sql: string, first: number, count: number): ListPlace | undefined {
  const marks = [...sql.matchAll(PLACES)].filter(([mark]) => mark !== String.raw`\?`);
  if (marks.some(([mark]) => mark === '??')) return undefined;
  const start = marks[first]?.index ?? 0;
  const list = listText(count);
  const [before, after] = [sql.slice(0, start), sql.slice(start + list.length)];
  const isList = before.endsWith(' in (') && sql.startsWith(`${list})`, start);
  return isList ? { before, after } : undefined;
}

const listText = (count: number): string => `?${', ?'.repeat(count - 1)}`;

/** The statement with a list of another length. */
export const withList = ({ before, after }: ListPlace, count: number): string =>
  before + listText(count) + after;
