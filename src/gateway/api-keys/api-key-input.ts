import { isIP } from 'node:net';
import { InvalidInputError } from '../../kit/errors/index.ts';
import type { Id } from '../../kit/columns/index.ts';
import { checkEach, checkId, checkOptionalId, checkText } from '../../kit/input/index.ts';
import type { RowChange } from '../../kit/orm/index.ts';
import type { ApiKeyBulkChange, ApiKeyChange, NewApiKey } from './api-key-record.ts';
import type { ApiKey } from './api-key.entity.ts';

const TEXT_RULES = [
  ['key', { max: 128, filled: true }],
  ['name', { max: 100 }],
  ['status', { max: 20, filled: true }],
] as const;

/**
 * The columns of a key that the input gives, each checked; an empty list of addresses is stored as NULL.
 *
 * @throws InvalidInputError (code VALIDATION); the message names the field, after `prefix`, and never the key.
 */
export function checkedColumns(
  input: Partial<NewApiKey> | ApiKeyChange,
  prefix = '',
): Record<string, unknown> {
  if (input === null || input === undefined) throw new InvalidInputError(`${prefix}apiKey`, 'be given');
  const given = input as Partial<NewApiKey>;
  const columns: Record<string, unknown> = {};
  for (const [name, rule] of TEXT_RULES) {
    const value = given[name];
    if (value !== undefined) columns[name] = checkText(prefix + name, value, rule);
  }
  if (given.groupId !== undefined)
    columns['group'] = checkOptionalId(`${prefix}groupId`, given.groupId) ?? null;
  for (const name of ['ipWhitelist', 'ipBlacklist'] as const) {
    if (given[name] !== undefined) columns[name] = checkedAddresses(prefix + name, given[name]);
  }
  return columns;
}

/** The columns of a key that is to be inserted, which needs a value and a name. @throws InvalidInputError. */
export function newColumns(input: NewApiKey): Record<string, unknown> {
  const needed = { key: input?.key ?? null, name: input?.name ?? null };
  return checkedColumns(input && { ...input, ...needed });
}

/**
 * Changes of many keys as rows of their columns.
 *
 * @throws InvalidInputError; `field` begins with the position, as in `changes[3].name`.
 */
export function checkedChanges(changes: readonly ApiKeyBulkChange[]): (RowChange<ApiKey> & { id: Id })[] {
  if (!Array.isArray(changes)) throw new InvalidInputError('changes', 'be a list');
  const prefixOf = (index: number): string => `changes[${index}].`;
  return checkEach(changes as readonly ApiKeyChange[], prefixOf, (change, prefix) => {
    if (change?.groupId !== undefined)
      throw new InvalidInputError(`${prefix}groupId`, 'be left out: update changes the group of a key');
    const columns = checkedColumns(change, prefix);
    if ('key' in columns) delete columns['key'];
    return Object.assign(columns, { id: checkId(`${prefix}id`, change.id) });
  });
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
