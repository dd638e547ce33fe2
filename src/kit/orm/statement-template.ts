import type { Platform } from '@mikro-orm/core';
import { type ParameterPlace, parameterPlaces } from './parameter-places.ts';
import { LIST_MARK, MARK, tokensOf } from './sql-tokens.ts';

/** A statement of the ORM, read once: its text between the values, and where each value stands. */
export interface StatementTemplate {
  /** One more than there are places. */
  readonly pieces: readonly string[];
  readonly places: readonly ParameterPlace[];
  /** Texts with parameters, by what the values of a call are. */
  readonly texts: Map<string, string>;
}

/** A template with the values of one call, in its order; a list is one of them. */
export interface ReadStatement {
  readonly template: StatementTemplate;
  readonly values: readonly unknown[];
}

const LISTS = / in \((\?(?:, \?)+)\)/g;
/** What a statement of more values saves by being prepared is little beside the rows that it writes. */
export const MAX_VALUES = 100;
const MAX_TEMPLATES = 1000;
/** A longer text has its data in it, mostly, and a thousand of them would be much to keep. */
export const MAX_TEXT = 20_000;

/** The templates of one connection, by the ORM's text with its lists shortened. */
export class StatementTemplates {
  readonly #templates = new Map<string, StatementTemplate | undefined>();
  readonly #platform: Platform;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** Undefined where the values have to stay in the text, as the ORM writes them. */
  read(sql: string, params: readonly unknown[]): ReadStatement | undefined {
    if (sql.length > MAX_TEXT || sql.includes(MARK) || sql.includes(LIST_MARK)) return undefined;
    const lengths: number[] = [];
    // Most statements have no list, and the search for one would make a new text of each.
    const short = sql.includes(' in (?, ?')
      ? sql.replaceAll(LISTS, (_, list: string) => {
          lengths.push((list.length + 2) / 3);
          return ` in (${LIST_MARK})`;
        })
      : sql;
    const listed = lengths.reduce((sum, length) => sum + length, 0);
    if (params.length - listed > MAX_VALUES) return undefined;
    const named = short.includes('??') ? this.#withNames(short, params, lengths) : undefined;
    const template = this.#template(named?.sql ?? short);
    const values = template && inPlaces(template, named?.params ?? params, lengths);
    return values && { template, values };
  }

  #template(sql: string): StatementTemplate | undefined {
    const known = this.#templates.get(sql);
    if (known || this.#templates.has(sql)) return known;
    const template = readTemplate(sql);
    if (this.#templates.size >= MAX_TEMPLATES) {
      this.#templates.delete(this.#templates.keys().next().value as string);
    }
    this.#templates.set(sql, template);
    return template;
  }

  /** Puts the names of `??` into the text, and leaves the values. */
  #withNames(sql: string, params: readonly unknown[], lengths: readonly number[]) {
    const rest: unknown[] = [];
    let [next, list] = [0, 0];
    const text = sql.replaceAll(/\\\?|\?\??|\uE001/g, (found) => {
      if (found === String.raw`\?`) return found;
      if (found === '??') {
        const name = this.#platform.quoteIdentifier(params[next] as string);
        next += 1;
        return name.includes('?') ? `${MARK}${LIST_MARK}` : name;
      }
      const count = found === '?' ? 1 : (lengths[list] ?? 0);
      if (found !== '?') list += 1;
      rest.push(...params.slice(next, next + count));
      next += count;
      return found;
    });
    return { sql: text, params: rest };
  }
}

/** The values of a call by place; undefined when there are fewer or more of them than the text says. */
function inPlaces(
  { places }: StatementTemplate,
  params: readonly unknown[],
  lengths: readonly number[],
): unknown[] | undefined {
  if (lengths.length === 0) return params.length === places.length ? [...params] : undefined;
  let [next, list] = [0, 0];
  const values = places.map(({ kind }) => {
    if (kind !== 'list') return params[(next += 1) - 1];
    const from = next;
    next += lengths[list] ?? 0;
    list += 1;
    return params.slice(from, next);
  });
  return next === params.length ? values : undefined;
}

function readTemplate(sql: string): StatementTemplate | undefined {
  // As the core reads them: `\?` is a question mark, and the others are places.
  const marked = sql.replaceAll(/\\\?|\?/g, (found) => (found === '?' ? MARK : '?'));
  const tokens = tokensOf(marked);
  const places = tokens && parameterPlaces(tokens);
  if (!places) return undefined;
  const ends = [0, ...places.map(({ end }) => end)];
  const starts = [...places.map(({ start }) => start), marked.length];
  const pieces = starts.map((start, index) => marked.slice(ends[index], start));
  return { pieces, places, texts: new Map() };
}
