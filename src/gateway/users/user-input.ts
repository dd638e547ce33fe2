import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkAmount, checkInteger, checkText } from '../../kit/input/index.ts';
import type { NewUser, UserChange } from './user-record.ts';

/** The column of balances, and the amounts that are added to it. */
export const BALANCE = { precision: 22, scale: 10 } as const;

const TEXTS = {
  email: { max: 255, filled: true },
  passwordHash: { max: 255, filled: true },
  username: { max: 100 },
  notes: {},
  role: { max: 20, filled: true },
  status: { max: 20, filled: true },
} as const;

type Column = keyof typeof TEXTS | 'concurrency' | 'balance';

/**
 * The columns of a user that the input gives, each checked.
 *
 * @throws InvalidInputError (code VALIDATION).
 */
export function checkedColumns(input: Partial<NewUser>): Partial<Record<Column, string | number>> {
  const columns: Partial<Record<Column, string | number>> = {};
  for (const [name, rule] of Object.entries(TEXTS)) {
    const value = input[name as keyof typeof TEXTS];
    if (value !== undefined) columns[name as Column] = checkText(name, value, rule);
  }
  if (input.concurrency !== undefined) columns.concurrency = checkInteger('concurrency', input.concurrency);
  if (input.balance !== undefined) columns.balance = checkAmount('balance', input.balance, BALANCE);
  return columns;
}

/** @throws InvalidInputError when there is no object at all. */
export function refuseNull(input: NewUser | UserChange | null | undefined): void {
  if (input === null || input === undefined) throw new InvalidInputError('user', 'be given');
}
