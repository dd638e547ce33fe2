import { InvalidInputError } from '../kit/errors/index.ts';
import { checkOneOf } from '../kit/input/index.ts';

/** Whose services accounts are at, and groups are sold for. No constraint of the database says which. */
export const PLATFORMS = ['anthropic', 'openai', 'gemini', 'antigravity', 'sora'] as const;

/** One of the platforms; what a table of another program's making holds may be none. */
export type Platform = (typeof PLATFORMS)[number];

/** @throws InvalidInputError (code VALIDATION) for a platform that there is not. */
export function checkPlatform(field: string, value: unknown): Platform {
  return checkOneOf(field, value, PLATFORMS);
}

/** @throws InvalidInputError (code VALIDATION) for what is no list, and for a platform in it that there is not. */
export function checkPlatforms(field: string, values: unknown): Platform[] {
  if (!Array.isArray(values)) throw new InvalidInputError(field, 'be a list of platforms');
  // Not by map, which passes over the holes of a list.
  return Array.from(values, (value) => checkPlatform(field, value));
}
