import { raw, type RawQueryFragment, sql } from '@mikro-orm/core';
import type { Id } from '../../kit/columns/index.ts';
import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkInteger, checkOptionalId, checkText } from '../../kit/input/index.ts';
import { type ClosedRange, throughout } from './usage-range.ts';

/** What is left out, null or empty filters nothing. */
export interface UsageFilters {
  readonly userId?: Id | null;
  readonly apiKeyId?: Id | null;
  readonly accountId?: Id | null;
  readonly groupId?: Id | null;
  /** Compared exactly. */
  readonly model?: string | null;
  readonly stream?: boolean | null;
  /** 0 from the balance, 1 from a subscription. */
  readonly billingType?: number | null;
}

/** Filters with a range of which each end may be missing; both ends belong to it. */
export type ClosedUsageFilters = UsageFilters & Partial<ClosedRange>;

const IDS = {
  userId: 'user_id',
  apiKeyId: 'api_key_id',
  accountId: 'account_id',
  groupId: 'group_id',
} as const;

/** One condition for each filter that is given. @throws InvalidInputError VALIDATION. */
export function conditionsOf(filters: UsageFilters): RawQueryFragment[] {
  if (filters === null || filters === undefined) throw new InvalidInputError('filters', 'be given');
  const conditions: RawQueryFragment[] = [];
  for (const [name, column] of Object.entries(IDS)) {
    const id = checkOptionalId(name, filters[name as keyof typeof IDS]);
    if (id) conditions.push(raw(`${column} = ?::bigint`, [id]));
  }
  const { model, stream, billingType } = filters;
  if (model) conditions.push(sql`model = ${checkText('model', model)}::text`);
  if (stream !== undefined && stream !== null)
    conditions.push(sql`stream = ${checkFlag('stream', stream)}::boolean`);
  if (billingType !== undefined && billingType !== null)
    conditions.push(sql`billing_type = ${checkInteger('billingType', billingType, 0, 1)}::smallint`);
  return conditions;
}

/** The conditions of the filters and of their range. @throws InvalidInputError VALIDATION. */
export function closedConditionsOf(filters: ClosedUsageFilters): RawQueryFragment[] {
  return [...conditionsOf(filters), ...throughout(filters)];
}

/** All of the conditions; of none, what is always true. */
export function allOf(conditions: readonly RawQueryFragment[]): RawQueryFragment {
  return conditions.reduce((all, next) => sql`${all} and ${next}`, sql`true`);
}

function checkFlag(field: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new InvalidInputError(field, 'be true or false');
}
