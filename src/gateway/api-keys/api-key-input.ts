import { isIP } from 'node:net';
import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkOptionalId, checkText } from '../../kit/input/index.ts';
import type { ApiKeyChange, NewApiKey } from './api-key-record.ts';

const TEXTS = {
  key: { max: 128, filled: true },
  name: { max: 100 },
  status: { max: 20, filled: true },
} as const;

/**
 * The columns of a key that the input gives, each checked; an empty list of addresses is stored as NULL.
 *
 * @throws InvalidInputError (code VALIDATION); the message names the field and never the key.
 */
export function checkedColumns(input: Partial<NewApiKey> | ApiKeyChange): Record<string, unknown> {
  if (input === null || input === undefined) throw new InvalidInputError('apiKey', 'be given');
  const given = input as Partial<NewApiKey>;
  const columns: Record<string, unknown> = {};
  for (const [name, rule] of Object.entries(TEXTS)) {
    const value = given[name as keyof typeof TEXTS];
    if (value !== undefined) columns[name] = checkText(name, value, rule);
  }
  if (given.groupId !== undefined) columns['group'] = checkOptionalId('groupId', given.groupId) ?? null;
  for (const name of ['ipWhitelist', 'ipBlacklist'] as const) {
    if (given[name] !== undefined) columns[name] = checkedAddresses(name, given[name]);
  }
  return columns;
}

/** The columns of a key that is to be inserted, which needs a value and a name. @throws InvalidInputError. */
export function newColumns(input: NewApiKey): Record<string, unknown> {
  const needed = { key: input?.key ?? null, name: input?.name ?? null };
  return checkedColumns(input && { ...input, ...needed });
}

function checkedAddresses(field: string, addresses: readonly string[] | null): readonly string[] | null {
  if (addresses === null) return null;
  if (!Array.isArray(addresses)) throw new InvalidInputError(field, 'be a list');
  for (const address of addresses) {
    if (!isRange(address)) throw new InvalidInputError(field, 'hold only IP addresses and CIDR ranges');
  }
  return addresses.length > 0 ? addresses : null;
}

function isRange(text: unknown): boolean {
  if (typeof text !== 'string') return false;
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}
