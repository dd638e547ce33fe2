export { type AmountRule, checkAmount } from './amount.ts';
export { checkEach } from './each.ts';
export { checkGiven } from './given.ts';
export { checkId, checkIds, checkOptionalId } from './id.ts';
export { checkInstant } from './instant.ts';
export { checkInteger } from './integer.ts';
export { checkJsonObject, isPlainObject } from './json.ts';
export { checkOneOf } from './one-of.ts';
export { checkText, type TextRule } from './text.ts';
