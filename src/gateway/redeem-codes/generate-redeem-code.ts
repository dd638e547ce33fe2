import { randomInt } from 'node:crypto';

/** Characters of the column `redeem_codes.code`. */
export const REDEEM_CODE_LENGTH = 32;

// Without 0 and O, 1, I and L: a code is read from paper and typed.
const ALPHABET = '23456789ABCDEFGHJKMNPQRSTUVWXYZ';
const GROUP = 5;
// As many groups of five with a dash between them as the column holds.
const GROUPS = Math.floor((REDEEM_CODE_LENGTH + 1) / (GROUP + 1));

/** A new text for a code: 25 random characters (123 bits) in groups of five, which fits the column. */
export function generateRedeemCode(): string {
  const group = (): string =>
    Array.from({ length: GROUP }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  return Array.from({ length: GROUPS }, group).join('-');
}
