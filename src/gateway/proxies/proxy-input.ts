import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkInteger, checkText } from '../../kit/input/index.ts';
import type { NewProxy, ProxyChange, ProxyProtocol } from './proxy-record.ts';

const TEXTS = {
  name: { max: 100, filled: true },
  host: { max: 255, filled: true },
  status: { max: 20, filled: true },
} as const;
const CREDENTIALS = ['username', 'password'] as const;
const PROTOCOLS: readonly ProxyProtocol[] = ['http', 'https', 'socks5'];
const LARGEST_PORT = 65_535;

/**
 * The columns of a proxy that the input gives, each checked; an empty name or password is stored as NULL.
 *
 * @throws InvalidInputError (code VALIDATION); the message names the field and never its value.
 */
export function checkedColumns(input: Partial<NewProxy> | ProxyChange): Record<string, unknown> {
  if (input === null || input === undefined) throw new InvalidInputError('proxy', 'be given');
  const columns: Record<string, unknown> = {};
  for (const [name, rule] of Object.entries(TEXTS)) {
    const value = input[name as keyof typeof TEXTS];
    if (value !== undefined) columns[name] = checkText(name, value, rule);
  }
  for (const name of CREDENTIALS) {
    const value = input[name];
    if (value !== undefined) columns[name] = checkText(name, value ?? '', { max: 100 }) || null;
  }
  const { protocol, port } = input;
  if (protocol !== undefined) columns['protocol'] = checkedProtocol(protocol);
  if (port !== undefined) columns['port'] = checkInteger('port', port, 1, LARGEST_PORT);
  return columns;
}

/** @throws InvalidInputError for a new proxy that lacks what every proxy has. */
export function checkedNewProxy(input: NewProxy): Record<string, unknown> {
  const columns = checkedColumns(input);
  for (const name of ['name', 'protocol', 'host', 'port']) {
    if (columns[name] === undefined) throw new InvalidInputError(name, 'be given');
  }
  return columns;
}

function checkedProtocol(protocol: unknown): ProxyProtocol {
  const known = PROTOCOLS.find((name) => name === protocol);
  if (known) return known;
  throw new InvalidInputError('protocol', 'be "http", "https" or "socks5"');
}
