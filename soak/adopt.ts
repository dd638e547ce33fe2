import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import type { HeldLock } from 'tombstone/migrations';
import { createTestDatabase, type TestServer } from 'tombstone/testing';
import { COMPLETE, createOriginal, LEGACY, PHASE_ONE } from '../test/support/original-gateway.ts';
import { originalProgram } from '../test/support/original/program.ts';
import { snapshotRows } from '../test/support/original/snapshot.ts';

const SHAPES = { complete: COMPLETE, 'phase-1': PHASE_ONE, legacy: LEGACY } as const;

export const ADOPT_SHAPES = Object.keys(SHAPES);

/** What is taken over. */
export interface AdoptSoakOptions {
  readonly users: number;
  readonly logs: number;
  readonly shape: keyof typeof SHAPES;
  /** Connections of the original program that charge users meanwhile. */
  readonly writers: number;
}

/** How a take-over went. */
export interface AdoptSoakReport {
  readonly state: string;
  readonly users: number;
  readonly logs: number;
  readonly steps: number;
  readonly seconds: number;
  /** The most memory that the command has used, in MB; undefined where there is no /proc. */
  readonly peakMb: number | undefined;
  /** Lines of progress that the command has printed. */
  readonly progress: number;
  readonly charges: number;
  /** The longest that one charge of the original program took, in milliseconds. */
  readonly longestChargeMs: number;
  readonly locks: readonly HeldLock[];
  /** Whether balances are what was charged, to the last decimal, and every other original row is as it was. */
  readonly isIntact: boolean;
}

/** Builds a database of the original, lets its program write, and takes it over by the command. */
export async function soakAdoption(
  server: TestServer,
  { users, logs, shape, writers }: AdoptSoakOptions,
  show: (stage: string, share: number) => void,
): Promise<AdoptSoakReport> {
  const database = await createTestDatabase(server);
  const client = new Client({ connectionString: database.url });
  await client.connect();
  try {
    show('building the original', 0);
    await createOriginal(client, SHAPES[shape], { users, logs });
    const before = { rows: await snapshotRows(client), money: await moneyOf(client) };
    const program = await startProgram(database.url, writers);
    const command = await adoptByCommand(database.url, show);
    const { charges, longestChargeMs } = await program.stop();
    const after = await snapshotRows(client, before.rows);
    const isPaid = before.money - (await moneyOf(client)) === BigInt(charges) * CHARGE;
    return {
      ...command,
      users,
      logs,
      charges,
      longestChargeMs,
      isIntact: isPaid && isSame(before.rows, after),
    };
  } finally {
    await client.end();
    await database.drop();
  }
}

/** In units of the tenth decimal. */
const CHARGE = 100_000_000n;

async function moneyOf(client: Client): Promise<bigint> {
  const sql = 'select (sum(balance) * 10000000000)::numeric(40)::text as sum from users';
  return BigInt((await client.query<{ sum: string }>(sql)).rows[0]?.sum ?? 0);
}

type Rows = Awaited<ReturnType<typeof snapshotRows>>;

/** Balances are compared by themselves: the program charges meanwhile. */
function isSame({ sums: before }: Rows, { sums: after }: Rows): boolean {
  return Object.keys(before).every((table) => table === 'users' || before[table] === after[table]);
}

interface Program {
  stop(): Promise<{ charges: number; longestChargeMs: number }>;
}

async function startProgram(url: string, writers: number): Promise<Program> {
  const stop = new AbortController();
  let charges = 0;
  let longestChargeMs = 0;
  const work = Array.from({ length: writers }, async () => {
    const client = new Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query<{ id: string }>(
      'select id from users where deleted_at is null order by random() limit 1000',
    );
    const program = await originalProgram(client);
    for (let turn = 0; !stop.signal.aborted; turn += 1) {
      const start = performance.now();
      await program.charge(rows[turn % rows.length]?.id ?? '', '0.01');
      longestChargeMs = Math.max(longestChargeMs, performance.now() - start);
      charges += 1;
    }
    await client.end();
  });
  return {
    stop: async () => {
      stop.abort();
      await Promise.all(work);
      return { charges, longestChargeMs };
    },
  };
}

interface Commanded extends Pick<
  AdoptSoakReport,
  'state' | 'steps' | 'seconds' | 'peakMb' | 'progress' | 'locks'
> {}

const COMMAND = fileURLToPath(new URL('../bin/tombstone.js', import.meta.url));

/** A real process, as an operator would start it. @throws Error with what it printed, when it fails. */
async function adoptByCommand(url: string, show: (stage: string, share: number) => void): Promise<Commanded> {
  const child = spawn(process.execPath, [COMMAND, 'migrate', 'adopt', '--apply', '--contract', '--json'], {
    env: { ...process.env, DATABASE_URL: url },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err, peakKb, progress] = ['', '', 0, 0];
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr.on('data', (data: Buffer) => {
    const text = data.toString();
    err = (err + text).slice(-2000);
    progress += text.split('\n').length - 1;
    const step = /"adoption-step".*"index":(\d+),"total":(\d+)/.exec(text);
    if (step) show('taking over', Number(step[1]) / Number(step[2]));
  });
  const watch = setInterval(() => (peakKb = Math.max(peakKb, peakOf(child.pid))), 200);
  const code = await new Promise<number | null>((done) => child.once('close', done));
  clearInterval(watch);
  if (code !== 0) throw new Error(`The command ended with ${code}: ${out || err}`);
  const { state, done } = JSON.parse(out) as {
    state: string;
    done: { steps: number; ms: number; locks: HeldLock[] };
  };
  const peakMb = peakKb > 0 ? Math.round(peakKb / 1024) : undefined;
  return { state, steps: done.steps, seconds: done.ms / 1000, peakMb, progress, locks: done.locks };
}

/** In kB; 0 where the system does not tell. */
function peakOf(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
