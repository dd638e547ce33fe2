import { UsageError } from './exit-codes.ts';

/** The number of `--steps`. */
export function positive(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new UsageError('--steps takes a whole number from 1 on.');
}
