import type { Configuration } from '@mikro-orm/core';
import { InvalidInputError } from '../errors/index.ts';
import { checkInteger } from '../input/index.ts';
import { layerOptionsOf } from './layer-options.ts';

/** How long a list bears with a read replica; all in milliseconds. */
export interface ReplicaPatience {
  /** After so long without an answer, and again after each such time, the replica is asked whether it is there. Default 5000. */
  readonly askAfterMs: number;
  /** So long it may take to let a new session in when it is asked. Default 2000. */
  readonly answerWithinMs: number;
  /** So long a replica that was not there is left alone. Default 5000. */
  readonly restMs: number;
}

const DEFAULTS: ReplicaPatience = { askAfterMs: 5000, answerWithinMs: 2000, restMs: 5000 };
const LONGEST_MS = 600_000;

/**
 * The defaults with what is given instead.
 *
 * @throws InvalidInputError (code VALIDATION) for what is no number of milliseconds, and for a name that there is not.
 */
export function checkedPatience(given: Partial<ReplicaPatience> | undefined): ReplicaPatience {
  if (given === undefined) return DEFAULTS;
  if (typeof given !== 'object' || given === null) throw misspelt();
  const checked: Record<string, number> = { ...DEFAULTS };
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(DEFAULTS, name)) throw misspelt();
    if (value !== undefined) checked[name] = checkInteger(`replicaPatience.${name}`, value, 1, LONGEST_MS);
  }
  return checked as unknown as ReplicaPatience;
}

/** What the configuration says. */
export function replicaPatienceOf(config: Configuration): ReplicaPatience {
  return layerOptionsOf(config)?.replicaPatience ?? DEFAULTS;
}

function misspelt(): InvalidInputError {
  return new InvalidInputError('replicaPatience', `be an object of ${Object.keys(DEFAULTS).join(', ')}`);
}
