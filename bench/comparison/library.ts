import type { Fallen, Purge } from './trees/deletions.ts';

/** A row of `usage_logs` as the workloads write it; amounts are decimal strings. */
export interface Usage {
  readonly userId: string;
  readonly apiKeyId: string;
  readonly accountId: string;
  readonly groupId: string;
  readonly requestId: string;
  readonly model: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly totalCost: string;
  /** Zero: the request is free, so that nothing but its log is written. */
  readonly actualCost: string;
  readonly rateMultiplier: string;
  readonly durationMs: number;
  readonly userAgent: string;
  readonly ipAddress: string;
}

/** The names of these columns, in the order in which raw SQL writes them. */
export const USAGE_FIELDS = [
  'userId',
  'apiKeyId',
  'accountId',
  'groupId',
  'requestId',
  'model',
  'inputTokens',
  'outputTokens',
  'totalCost',
  'actualCost',
  'rateMultiplier',
  'durationMs',
  'userAgent',
  'ipAddress',
] as const satisfies readonly (keyof Usage)[];

/** What each workload is given, and must answer. Reads answer live rows only, with nested owners and groups. */
export interface Workloads {
  /** Authentication: the live key of this value with its live owner and live group, each null when it is deleted. */
  readonly W1: { given: string; answer: KeyRow | null | undefined };
  /** 50 live keys of a group, newest first, with owner and group, and how many there are. */
  readonly W2: { given: PageRequest; answer: { readonly items: readonly object[]; readonly total: number } };
  /** The live accounts of a live group that may serve a request now, by priority of binding, priority and id. */
  readonly W3: { given: string; answer: readonly object[] };
  /** One row of usage; answers its id. */
  readonly W4: { given: Usage; answer: unknown };
  /** Many rows of usage; answers nothing that is compared. */
  readonly W5: { given: readonly Usage[]; answer: unknown };
  /** Marks the key with this id as deleted. */
  readonly W6: { given: string; answer: unknown };
  /** Loads the keys, gives each its new name in memory, saves them all. */
  readonly W7: { given: Renaming; answer: unknown };
  /** Takes an amount from a balance, in the database. */
  readonly W8: { given: Deduction; answer: unknown };
  /** Marks the projects of an owner as deleted, and their tasks: 1,000 and 30,000. */
  readonly cascade: { given: string; answer: unknown };
  /** The same of one project with 30 tasks. */
  readonly 'cascade-small': { given: string; answer: unknown };
  /** Makes live again what fell together, and nothing that was dead before: 1,000 projects with 30,000 tasks. */
  readonly restore: { given: Fallen; answer: unknown };
  /** The same of one project with 30 tasks. */
  readonly 'restore-small': { given: Fallen; answer: unknown };
  /** Removes the tasks and projects that are dead for so long, in batches with a commit each. */
  readonly purge: { given: Purge; answer: unknown };
}

export type WorkloadName = keyof Workloads;

export type KeyRow = object & { readonly user?: unknown; readonly group?: unknown };

export interface PageRequest {
  readonly groupId: string;
  readonly offset: number;
  readonly limit: number;
}

export interface Renaming {
  readonly ids: readonly string[];
  /** Ends the new names, which {@link newName} makes. */
  readonly round: string;
}

export const newName = (id: string | number | bigint, round: string): string => `key ${id} in ${round}`;

export interface Deduction {
  readonly userId: string;
  readonly amount: string;
}

export type Way<Name extends WorkloadName> = (
  given: Workloads[Name]['given'],
) => PromiseLike<Workloads[Name]['answer']>;

/** A library with its connections: how it does each workload. */
export interface Library {
  /** As its documentation recommends. A workload that is missing cannot be done with it. */
  readonly ways: { readonly [Name in WorkloadName]?: Way<Name> };
  /** Its own quicker ways, by a name that goes into brackets. */
  readonly faster?: { readonly [Name in WorkloadName]?: Readonly<Record<string, Way<Name>>> };
  /** Workloads that it has no feature for: its ways are statements that a program has to write for each relation. */
  readonly byHand?: readonly WorkloadName[];
  close(): Promise<void>;
}

export interface Connections {
  readonly url: string;
  /** The size of its pool. */
  readonly size: number;
}

/** What the file of a library exports. */
export interface LibraryModule {
  open(connections: Connections): Promise<Library>;
}

/** A library in a chart: its throughput against the floor, and the interval of it. */
export interface Bar {
  readonly name: string;
  readonly median: number;
  readonly low: number;
  readonly high: number;
}
