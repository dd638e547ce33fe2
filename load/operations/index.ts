import type { Operation } from '../caller.ts';
import { accountsAndProxies } from './accounts.ts';
import { batch } from './batch.ts';
import { events } from './events.ts';
import { keysAndUsers } from './keys.ts';
import { lists } from './lists.ts';
import { request } from './request.ts';
import { statistics } from './statistics.ts';
import { subscriptionsAndGroups } from './subscriptions.ts';

/** What callers do, by how often they do it: mostly requests. */
export const OPERATIONS: readonly Operation[] = [
  request,
  batch,
  ...statistics,
  ...lists,
  ...keysAndUsers,
  ...accountsAndProxies,
  ...subscriptionsAndGroups,
  ...events,
];
