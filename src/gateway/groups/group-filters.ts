import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkGiven, checkText } from '../../kit/input/index.ts';
import { containsPattern } from '../../kit/queries/index.ts';
import { checkPlatform, type Platform } from '../platforms.ts';

/** What is left out, null or empty filters nothing. */
export interface GroupFilters {
  readonly platform?: Platform;
  readonly status?: string;
  /** Part of the name or of the description, in any case. */
  readonly search?: string;
  readonly isExclusive?: boolean;
}

/** @throws InvalidInputError (code VALIDATION). */
export function whereOf(filters: GroupFilters): object {
  const { platform, status, search, isExclusive } = checkGiven('filters', filters);
  const pattern = search ? containsPattern(checkText('search', search)) : undefined;
  if (typeof (isExclusive ?? false) !== 'boolean')
    throw new InvalidInputError('isExclusive', 'be true or false');
  return {
    ...(platform && { platform: checkPlatform('platform', platform) }),
    ...(status && { status: checkText('status', status) }),
    ...(typeof isExclusive === 'boolean' && { isExclusive }),
    ...(pattern && { $or: [{ name: { $ilike: pattern } }, { description: { $ilike: pattern } }] }),
  };
}
