import { randomUUID } from 'node:crypto';
import type { DataEntityManager } from 'tombstone';
import { type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import type { Random } from '../crash/random.ts';
import { now } from './clock.ts';
import type { Meter } from './meter.ts';
import type { Sightings } from './sightings.ts';
import type { Answers } from './told.ts';
import type { World } from './world.ts';

/** What all callers of a process share. */
export interface Ground {
  /** An entity manager of its own for each piece of work, as a service has for each request. */
  em(): DataEntityManager;
  readonly world: World;
  readonly meter: Meter;
  readonly sightings: Sightings;
  readonly answers: Answers;
}

/** One caller: the ground, and choices of its own. */
export interface Caller extends Ground {
  readonly random: Random;
}

/** Something that a caller does now and then. */
export interface Operation {
  readonly name: string;
  /** How often, beside the others. */
  readonly weight: number;
  run(caller: Caller): Promise<void>;
}

/** Makes the repositories as a request does, on an entity manager of their own. */
export function repositoriesOf({ em }: Ground): GatewayRepositories {
  return gatewayRepositories(em());
}

/** @returns one of the list. The list must not be empty. */
export function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.below(list.length)] as T;
}

/** Takes one out of the list, so that no other caller of the process takes it too; undefined when few are left. */
export function take<T>(random: Random, list: T[], least: number): T | undefined {
  if (list.length <= least) return undefined;
  const index = random.below(list.length);
  const taken = list[index];
  const last = list.pop() as T;
  if (index < list.length) list[index] = last;
  return taken;
}

/** A name that nothing else has, in any process. */
export function newName(what: string): string {
  return `${what} ${randomUUID()}`;
}

/** Does one piece of work after the other until the instant; the first calls that fail stop nobody. */
export async function call(caller: Caller, operations: readonly Operation[], until: number): Promise<void> {
  const total = operations.reduce((sum, { weight }) => sum + weight, 0);
  while (now() < until) {
    let at = caller.random.next() * total;
    const chosen = operations.find(({ weight }) => (at -= weight) < 0);
    await chosen?.run(caller);
  }
}
