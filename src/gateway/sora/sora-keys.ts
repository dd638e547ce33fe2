import { createSecretKey, type KeyObject } from 'node:crypto';
import { InvalidInputError, RuleError } from '../../kit/errors/index.ts';
import { gatewayRules } from '../rules.ts';

/** With what the tokens of Sora accounts are encrypted. */
export interface SoraKeyOptions {
  /**
   * Keys of 32 bytes, or their text in base64 or hexadecimal, by a name of up to 32 letters, digits, `-` and `_`. New values are
   * encrypted with `current`; the others still decrypt. Without it tokens can be neither read nor written.
   */
  readonly soraKeys?: SoraKeySet;
}

export interface SoraKeySet {
  readonly current: string;
  readonly keys: Readonly<Record<string, string | Uint8Array>>;
}

const NAME = /^[A-Za-z0-9_-]{1,32}$/;
const HEX = /^[0-9a-fA-F]{64}$/;
const BASE64 = /^[A-Za-z0-9+/_-]{43}=?$/;
const BYTES = 32;

const rings = new WeakMap<SoraKeySet, SoraKeyRing>();

/** The keys of an installation, ready for use. Nothing that prints it shows one. */
export class SoraKeyRing {
  readonly current: string;
  readonly #keys: ReadonlyMap<string, KeyObject>;

  constructor(current: string, keys: ReadonlyMap<string, KeyObject>) {
    this.current = current;
    this.#keys = keys;
  }

  /** @throws RuleError SORA_KEY_UNKNOWN. */
  key(name: string): KeyObject {
    const key = this.#keys.get(name);
    if (!key) throw new RuleError(gatewayRules.SORA_KEY_UNKNOWN);
    return key;
  }
}

/** Made once for each set of keys. @throws InvalidInputError VALIDATION, which never shows a key. */
export function soraKeyRing({ soraKeys }: SoraKeyOptions): SoraKeyRing | null {
  if (soraKeys === undefined) return null;
  if (soraKeys === null || typeof soraKeys !== 'object')
    throw new InvalidInputError('soraKeys', 'be an object with current and keys');
  const known = rings.get(soraKeys);
  if (known) return known;
  const ring = checkedRing(soraKeys);
  rings.set(soraKeys, ring);
  return ring;
}

function checkedRing({ current, keys }: SoraKeySet): SoraKeyRing {
  if (keys === null || typeof keys !== 'object') throw new InvalidInputError('soraKeys.keys', 'be an object');
  if (typeof current !== 'string' || !Object.hasOwn(keys, current))
    throw new InvalidInputError('soraKeys.current', 'be the name of one of the keys');
  const names = Object.keys(keys);
  if (!names.every((name) => NAME.test(name)))
    throw new InvalidInputError('soraKeys.keys', 'have names of up to 32 letters, digits, - and _');
  return new SoraKeyRing(current, new Map(names.map((name) => [name, secretKey(keys[name])])));
}

function secretKey(given: unknown): KeyObject {
  const bytes = typeof given === 'string' ? bytesOf(given) : given;
  if (bytes instanceof Uint8Array && bytes.length === BYTES) return createSecretKey(bytes);
  throw new InvalidInputError('soraKeys.keys', 'be of 32 bytes, or their text in base64 or hexadecimal');
}

// A passphrase is refused: it would be taken for a key of 256 bits, and is none.
function bytesOf(text: string): Uint8Array | undefined {
  if (HEX.test(text)) return Buffer.from(text, 'hex');
  return BASE64.test(text) ? Buffer.from(text, 'base64') : undefined;
}
