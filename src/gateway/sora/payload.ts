import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkText, type TextRule } from '../../kit/input/index.ts';
import { publicHttpsUrl } from './public-https-url.ts';

/** 1 MB, of 1024 times 1024 bytes. */
const LARGEST = 1024 * 1024;

/**
 * A text that comes from the platform, at most 1 MB in UTF-8.
 *
 * @throws InvalidInputError (code VALIDATION).
 */
export function checkPayload(field: string, value: unknown, rule: TextRule = {}): string {
  const text = checkText(field, value, rule);
  if (Buffer.byteLength(text) > LARGEST) throw new InvalidInputError(field, 'have at most 1 MB');
  return text;
}

/**
 * Addresses of results, given as a list or as the JSON text of one, as the JSON text that is stored; null where none is given.
 *
 * @throws InvalidInputError (code VALIDATION), also for one address that is not https or not of a public host.
 */
export function checkedResultUrls(field: string, value: unknown): string | null {
  if (value === undefined || value === null || value === '') return null;
  const urls = typeof value === 'string' ? parsed(checkPayload(field, value)) : value;
  if (!Array.isArray(urls)) throw new InvalidInputError(field, 'be a list of URLs, or the JSON text of one');
  return checkPayload(field, JSON.stringify(urls.map((url) => publicHttpsUrl(field, url))));
}

/** The addresses that are stored. What another program has left there and is no list of texts counts as none. */
export function storedResultUrls(text: string | null): readonly string[] {
  const urls = text === null ? undefined : parsed(text);
  return Array.isArray(urls) ? urls.filter((url) => typeof url === 'string') : [];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
