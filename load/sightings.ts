import type { Id } from 'tombstone';
import { now } from './clock.ts';

/** What can be deleted and must not come back; `plan` is every subscription of a group, which goes with the group. */
export const KINDS = ['apiKey', 'user', 'group', 'account', 'proxy', 'subscription', 'plan'] as const;

export type Kind = (typeof KINDS)[number];

/** A deletion that was carried out: instants of `clock.ts`. */
export interface Deletion {
  readonly kind: Kind;
  readonly id: Id;
  readonly begun: number;
  /** When the caller was told that it is done. Whoever asks after it must not see the row. */
  readonly told: number;
}

/** What statistics count. */
export type CountedKind = Extract<Kind, 'apiKey' | 'user' | 'account'>;

/** A number of live rows that a call answered. */
export interface Count {
  readonly kind: CountedKind;
  /** Whose rows they are; null for those of everybody. */
  readonly of: Id | null;
  readonly count: number;
  readonly begun: number;
}

/** What the callers of one process saw of rows that can be deleted. */
export interface Seen {
  readonly deletions: readonly Deletion[];
  /** By kind and id: the begin of the latest call that answered with the row. No earlier one could have been a worse leak. */
  readonly lastSeen: Readonly<Record<Kind, ReadonlyMap<Id, number>>>;
  /** By id: the end of the first authentication that found no such key. */
  readonly firstRefused: ReadonlyMap<Id, number>;
  /** Authentications with a key whose deletion this process had been told of. */
  readonly askedForDead: number;
  readonly counts: readonly Count[];
}

/** Keeps account of what came back and of what was deleted. */
export class Sightings {
  readonly #deletions: Deletion[] = [];
  readonly #lastSeen = Object.fromEntries(KINDS.map((kind) => [kind, new Map()])) as Record<
    Kind,
    Map<Id, number>
  >;
  readonly #firstRefused = new Map<Id, number>();
  #askedForDead = 0;
  readonly #counts: Count[] = [];

  /** A call that began at the instant has answered with the row; null stands for no row. */
  see(kind: Kind, id: Id | null | undefined, begun: number): void {
    if (id === null || id === undefined) return;
    if (begun > (this.#lastSeen[kind].get(id) ?? 0)) this.#lastSeen[kind].set(id, begun);
  }

  refuse(keyId: Id, ended: number): void {
    if (!this.#firstRefused.has(keyId)) this.#firstRefused.set(keyId, ended);
  }

  count(count: Count): void {
    this.#counts.push(count);
  }

  askForDead(): void {
    this.#askedForDead += 1;
  }

  /** Carries out a deletion of rows that are then dead for everybody; when it fails nothing is noted. */
  async delete(
    rows: readonly { readonly kind: Kind; readonly id: Id }[],
    work: () => Promise<unknown>,
  ): Promise<true> {
    const begun = now();
    await work();
    const told = now();
    for (const row of rows) this.#deletions.push({ ...row, begun, told });
    return true;
  }

  seen(): Seen {
    return {
      deletions: this.#deletions,
      lastSeen: this.#lastSeen,
      firstRefused: this.#firstRefused,
      askedForDead: this.#askedForDead,
      counts: this.#counts,
    };
  }
}
