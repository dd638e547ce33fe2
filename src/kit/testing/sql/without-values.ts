import { tokensOf } from './parser.ts';

const TEXTS = new Set(['SCONST', 'USCONST']);
const NUMBERS = new Set(['ICONST', 'FCONST']);
const BITS = new Set(['BCONST', 'XCONST']);

/**
 * A statement with its shape and none of its values, which MikroORM writes into the text: `'?'` for every text, `0` for every
 * number, and one for a list of them. It can be parsed like the statement itself. `undefined` where the text has no end.
 */
export async function withoutValues(sql: string): Promise<string | undefined> {
  const tokens = await tokensOf(sql);
  if (!tokens) return undefined;
  const bytes = Buffer.from(sql);
  const parts: string[] = [];
  let end = 0;
  let inList = false;
  for (const { tokenName, text, start, end: next } of tokens) {
    const value = placeholderOf(tokenName, text);
    const part = `${bytes.subarray(end, start).toString()}${value ?? text}`;
    end = next;
    // Of a list, the first value stays, and the commas go with the others.
    if (value && inList && parts.at(-1)?.trim() === ',') parts.pop();
    else parts.push(part);
    inList = value !== undefined || (inList && text === ',');
  }
  return `${parts.join('')}${bytes.subarray(end).toString()}`;
}

function placeholderOf(name: string, text: string): string | undefined {
  if (TEXTS.has(name) || /^u&'/i.test(text)) return `'?'`;
  if (NUMBERS.has(name)) return '0';
  return BITS.has(name) ? `${text.charAt(0)}'0'` : undefined;
}
