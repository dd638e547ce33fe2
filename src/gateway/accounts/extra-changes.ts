import type { Id } from '../../kit/columns/index.ts';
import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkGiven, checkId, checkText } from '../../kit/input/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { changeOrFail } from './account-writes.ts';
import { jsonAssignments, scopeLimit } from './json-changes.ts';
import { instantText } from './instant-text.ts';

/** How a patch of `extra` is meant. */
export interface ExtraOptions {
  /** Keys to take out first. */
  readonly removeKeys?: readonly string[];
  /** False for what no choice of an account looks at, such as a quota that is only shown: then there is no event. Default true. */
  readonly affectsScheduling?: boolean;
}

/** Scopes of the limits that Antigravity counts. */
export type AntigravityScope = 'claude' | 'gemini_text' | 'gemini_image';

const MODELS = 'model_rate_limits';
const QUOTAS = 'antigravity_quota_scopes';
const SCOPES: ReadonlySet<string> = new Set(['claude', 'gemini_text', 'gemini_image']);

/** Merges a patch into `extra`; of nothing there is no statement. @throws NotFoundError ACCOUNT_NOT_FOUND. */
export async function updateExtra(
  em: DataEntityManager,
  accountId: Id,
  patch: Readonly<Record<string, unknown>>,
  options: ExtraOptions,
): Promise<boolean> {
  const id = checkId('id', accountId);
  const { removeKeys, affectsScheduling = true } = checkGiven('options', options);
  if (typeof affectsScheduling !== 'boolean')
    throw new InvalidInputError('affectsScheduling', 'be true or false');
  if (patch === undefined) throw new InvalidInputError('patch', 'be given');
  const json = jsonAssignments({ extra: patch, removeExtra: removeKeys });
  return json.length > 0 && changeOrFail(em, id, [], json, affectsScheduling);
}

export async function setModelRateLimit(
  em: DataEntityManager,
  id: Id,
  scope: string,
  resetAt: Date,
): Promise<boolean> {
  return setLimit(em, id, MODELS, checkText('scope', scope), resetAt);
}

export async function setQuotaScopeLimit(
  em: DataEntityManager,
  id: Id,
  scope: AntigravityScope | '',
  resetAt: Date,
): Promise<boolean> {
  if (scope !== '' && !SCOPES.has(scope)) {
    throw new InvalidInputError('scope', 'be "claude", "gemini_text" or "gemini_image"');
  }
  return setLimit(em, id, QUOTAS, scope, resetAt);
}

export async function clearModelRateLimits(em: DataEntityManager, id: Id): Promise<boolean> {
  return changeOrFail(em, checkId('id', id), [], jsonAssignments({ removeExtra: [MODELS] }));
}

export async function clearQuotaScopes(em: DataEntityManager, id: Id): Promise<boolean> {
  return changeOrFail(em, checkId('id', id), [], jsonAssignments({ removeExtra: [QUOTAS] }));
}

async function setLimit(
  em: DataEntityManager,
  accountId: Id,
  parent: string,
  scope: string,
  resetAt: Date,
): Promise<boolean> {
  const id = checkId('id', accountId);
  const reset = instantText('resetAt', resetAt);
  return scope !== '' && changeOrFail(em, id, [], [scopeLimit(parent, scope, reset)]);
}
