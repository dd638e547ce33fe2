import type { Usage } from '../library.ts';
import { FIELDS } from '../statements.ts';

/** What the three ways of using MikroORM have in common. */

const inside = (relation: string, fields: readonly string[]): string[] =>
  fields.map((field) => `${relation}.${field.replace(/^fallbackGroupId$/, 'fallbackGroup')}`);

/** The columns of an authentication, as `fields` of a find. */
export const AUTH_FIELDS: readonly string[] = [
  ...FIELDS.AUTH_KEY.filter((field) => !/^(user|group)Id$/.test(field)),
  ...inside('user', FIELDS.AUTH_USER),
  ...inside('group', FIELDS.AUTH_GROUP),
];

const past = (field: string, now: Date): object => ({ $or: [{ [field]: null }, { [field]: { $lte: now } }] });

/** That an account may serve a request now. New objects each time: the core writes into a condition that it is given. */
export function mayServe(now = new Date()): object {
  return {
    status: 'active',
    schedulable: true,
    $and: [
      past('tempUnschedulableUntil', now),
      past('overloadUntil', now),
      past('rateLimitResetAt', now),
      { $or: [{ expiresAt: null }, { expiresAt: { $gt: now } }, { autoPauseOnExpired: false }] },
    ],
  };
}

/** A usage by the names of relations instead of ids. */
export function relationsOf({ userId, apiKeyId, accountId, groupId, ...columns }: Usage) {
  return { user: userId, apiKey: apiKeyId, account: accountId, group: groupId, ...columns } as never;
}
