import { InvalidInputError } from '../../kit/errors/index.ts';
import {
  checkAmount,
  checkId,
  checkInteger,
  checkOptionalId,
  checkText,
  isPlainObject,
} from '../../kit/input/index.ts';
import { checkPlatform } from '../platforms.ts';
import type { GroupChange, NewGroup } from './group-record.ts';
import type { ModelRouting } from './group.entity.ts';

const TEXTS = {
  name: { max: 100, filled: true },
  status: { max: 20, filled: true },
  subscriptionType: { max: 20, filled: true },
} as const;
const FLAGS = ['isExclusive', 'claudeCodeOnly', 'modelRoutingEnabled'] as const;
const PRICES = [
  'dailyLimitUsd',
  'weeklyLimitUsd',
  'monthlyLimitUsd',
  'imagePrice1k',
  'imagePrice2k',
  'imagePrice4k',
] as const;

type Input = Partial<NewGroup> | GroupChange;

/**
 * The columns of a group that the input gives, each checked; null clears where the column may be empty.
 *
 * @throws InvalidInputError (code VALIDATION).
 */
export function checkedColumns(input: Input): Record<string, unknown> {
  if (input === null || input === undefined) throw new InvalidInputError('group', 'be given');
  return { ...texts(input), ...numbers(input), ...others(input) };
}

function texts(input: Input): Record<string, unknown> {
  const columns: Record<string, unknown> = {};
  for (const [name, rule] of Object.entries(TEXTS)) {
    const value = input[name as keyof typeof TEXTS];
    if (value !== undefined) columns[name] = checkText(name, value, rule);
  }
  const { description, platform } = input;
  if (platform !== undefined) columns['platform'] = checkPlatform('platform', platform);
  if (description !== undefined)
    columns['description'] = description === null ? null : checkText('description', description);
  return columns;
}

function numbers(input: Input): Record<string, unknown> {
  const columns: Record<string, unknown> = {};
  for (const name of PRICES) {
    const value = input[name];
    if (value !== undefined)
      columns[name] = value === null ? null : checkAmount(name, value, { precision: 20, scale: 8 });
  }
  const { rateMultiplier, defaultValidityDays } = input;
  if (rateMultiplier !== undefined) {
    columns['rateMultiplier'] = checkAmount('rateMultiplier', rateMultiplier, {
      precision: 10,
      scale: 4,
      notNegative: true,
    });
  }
  if (defaultValidityDays !== undefined) {
    columns['defaultValidityDays'] = checkInteger('defaultValidityDays', defaultValidityDays, 0);
  }
  return columns;
}

function others(input: Input): Record<string, unknown> {
  const columns: Record<string, unknown> = {};
  for (const name of FLAGS) {
    if (input[name] === undefined) continue;
    if (typeof input[name] !== 'boolean') throw new InvalidInputError(name, 'be true or false');
    columns[name] = input[name];
  }
  const { modelRouting, fallbackGroupId } = input;
  if (modelRouting !== undefined) columns['modelRouting'] = checkedRouting(modelRouting);
  if (fallbackGroupId !== undefined) {
    columns['fallbackGroup'] = checkOptionalId('fallbackGroupId', fallbackGroupId) ?? null;
  }
  return columns;
}

function checkedRouting(routing: unknown): ModelRouting | null {
  if (routing === null) return null;
  if (!isPlainObject(routing)) throw routingError();
  for (const [pattern, accounts] of Object.entries(routing)) {
    checkText('modelRouting', pattern);
    if (!Array.isArray(accounts)) throw routingError();
    for (const account of accounts) checkAccount(account);
  }
  return routing as ModelRouting;
}

/** A JSON number is exact up to 2^53 only; larger ids come as strings. */
function checkAccount(account: unknown): void {
  if (typeof account === 'string') checkId('modelRouting', account);
  else if (!Number.isSafeInteger(account) || (account as number) < 1) throw routingError();
}

function routingError(): InvalidInputError {
  return new InvalidInputError('modelRouting', 'be an object from patterns to lists of account ids');
}
