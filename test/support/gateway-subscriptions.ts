import type { DataEntityManager } from 'tombstone';
import {
  type GatewayOptions,
  gatewayRepositories,
  type NewSubscription,
  type SubscriptionRecord,
  type UserSubscriptionRepository,
} from 'tombstone/gateway';
import { type Gateway, mustCreateGroup, mustCreateUser } from './gateway.ts';

export const DAY = 24 * 60 * 60 * 1000;

export const inDays = (days: number): Date => new Date(Date.now() + days * DAY);

/** Subscriptions on an entity manager of their own; days begin in UTC unless the options say something else. */
export function subscriptionsOf(gateway: Gateway, options: GatewayOptions = {}): UserSubscriptionRepository {
  return gatewayRepositories(gateway.em(), { timeZone: 'UTC', ...options }).subscriptions;
}

/** A subscription for 30 days, of a user and a group of its own unless they are given. */
export async function mustCreateSubscription(
  em: DataEntityManager,
  values: Partial<NewSubscription> = {},
): Promise<SubscriptionRecord> {
  const userId = values.userId ?? (await mustCreateUser(em)).id;
  const groupId = values.groupId ?? (await mustCreateGroup(em, { subscriptionType: 'subscription' })).id;
  return gatewayRepositories(em).subscriptions.create({ expiresAt: inDays(30), ...values, userId, groupId });
}

/** 'done', or the code with which it was refused. */
export async function codeOf(attempt: Promise<unknown>): Promise<unknown> {
  return attempt.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? error,
  );
}
