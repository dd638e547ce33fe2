import { Client } from 'pg';
import type { TestServer } from '../../src/kit/testing/index.ts';
import { createTestDatabase } from '../../src/kit/testing/index.ts';
import { fillForComparison, sizeOf } from './fill.ts';
import { OWN, PEERS } from './libraries.ts';
import type { WorkloadName } from './library.ts';
import { Member } from './member.ts';
import { type Compared, type Row, runRounds, waysOf } from './rounds.ts';
import { Verifier } from './verify-ways.ts';

/** Each library has a pool of this many connections, whatever the number of callers. */
const CONNECTIONS = 10;

/** Calls of a round, fewer for work that takes long. */
const CALLS: { readonly [Name in WorkloadName]: number } = {
  W1: 20,
  W2: 8,
  W3: 8,
  W4: 20,
  W5: 2,
  W6: 15,
  W7: 2,
  W8: 20,
};

export interface ComparisonOptions {
  readonly rounds: number;
  readonly quick: boolean;
  /** Of the names that are asked for; empty means all. */
  readonly isAsked: (name: string) => boolean;
  /** The tables are so many times as long. */
  readonly scale: number;
  readonly callers: readonly number[];
}

const rowsOf = ({ callers, isAsked }: ComparisonOptions): Row[] => {
  const names = Object.keys(CALLS) as WorkloadName[];
  const rows: Row[] = [
    ...names.map((workload) => ({ name: workload, workload, callers: 1 })),
    { name: 'W9', workload: 'W1', callers: 32 },
    ...callers.flatMap((count) =>
      names.map((workload) => ({ name: `${workload}-by-${count}`, workload, callers: count })),
    ),
  ];
  return rows.filter(({ name }) => isAsked(name));
};

/** Tombstone beside other libraries, each in a process of its own, on one database. */
export async function compare(server: TestServer, options: ComparisonOptions): Promise<Compared[]> {
  const rows = rowsOf(options);
  if (rows.length === 0) return [];
  const size = sizeOf(options.scale);
  const database = await createTestDatabase(server);
  const client = new Client({ connectionString: database.url });
  const members: Member[] = [];
  try {
    await fillForComparison(database.url, size);
    await client.connect();
    for (const library of [...OWN, ...PEERS])
      members.push(await Member.start(library, { url: database.url, size: CONNECTIONS }));
    const compared: Compared[] = [];
    const verifier = new Verifier(client, size, members[0] as Member);
    for (const workload of new Set(rows.map((row) => row.workload)))
      for (const one of waysOf(members, workload)) await verifier.verify(workload, one);
    for (const row of rows) {
      const plan = { rounds: options.quick ? 5 : options.rounds, calls: CALLS[row.workload] };
      compared.push(...(await runRounds(row, members, plan, { client, size })));
    }
    return compared;
  } finally {
    for (const member of members) await member.stop();
    await client.end();
    await database.drop();
  }
}
