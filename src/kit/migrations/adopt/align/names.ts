import { createHash } from 'node:crypto';
import { escapeIdentifier } from 'pg';

/** What the steps leave for a moment, or when they are killed, and what the next plan finishes or clears. */
export const PREFIX = 'tombstone_adopt_';

/** PostgreSQL cuts longer names without an error. */
const LONGEST = 63;

const PARTS = /"(?:[^"]|"")*"|[^."]+/g;

/** The parts of a qualified name as the catalogue prints it, quoted as they stand there. */
function partsOf(name: string): string[] {
  return name.match(PARTS) ?? [];
}

/** `public.users` of `public.users.balance`, `public` of `public.users`. */
export function ownerOf(name: string): string {
  return partsOf(name).slice(0, -1).join('.');
}

/** `balance` of `public.users.balance`. */
export function lastOf(name: string): string {
  return partsOf(name).at(-1) ?? name;
}

/** A part of a name as it is stored. */
export function stored(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part;
}

/** The name under which a step keeps what stands in for something, as the catalogue prints it. */
export function temporary(...parts: readonly string[]): string {
  const name = `${PREFIX}${parts.map(stored).join('_')}`;
  if (Buffer.byteLength(name) <= LONGEST) return /^[a-z0-9_]+$/.test(name) ? name : escapeIdentifier(name);
  return `${PREFIX}${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
}

/** Whether an object is one that only steps make. */
export const isTemporary = (name: string): boolean => stored(lastOf(name)).startsWith(PREFIX);
