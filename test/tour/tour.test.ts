import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { testServer } from '../support/database.ts';

const ROOT = resolve(import.meta.dirname, '../..');

interface Run {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly errors: () => string;
  /** Exit code, or 128 plus the signal's number as a shell reports it. */
  readonly exitCode: Promise<number | NodeJS.Signals | null>;
}

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Run {
  const { DATABASE_URL: _url, ...rest } = process.env;
  const child = spawn(process.execPath, ['tour/start.js', ...args], {
    cwd: ROOT,
    env: { ...rest, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (err += data.toString()));
  const exitCode = new Promise<number | NodeJS.Signals | null>((done) => {
    child.once('close', (code, signal) => done(code ?? signal));
  });
  return { child, output: () => out, errors: () => err, exitCode };
}

/** A temporary directory for one run, so that what it leaves can be told from what other runs on the machine make. */
const places: string[] = [];
function place(): string {
  const made = mkdtempSync(join(tmpdir(), 'tombstone-tour-'));
  places.push(made);
  return made;
}
afterAll(() => places.forEach((made) => rmSync(made, { recursive: true, force: true })));

/** What a run has in its place, and the processes whose command line names it. */
function traces(made: string): string[] {
  const processes = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(made);
      } catch {
        return false;
      }
    });
  // npm keeps a compile cache in the temporary directory.
  return [...readdirSync(made).filter((name) => name.startsWith('tombstone-')), ...processes];
}

async function left(made: string): Promise<string[]> {
  for (let tries = 0; traces(made).length > 0 && tries < 50; tries += 1) await sleep(100);
  return traces(made);
}

describe('npm start', () => {
  it('shows the back-fill’s proof and every step of soft delete, and leaves nothing', async () => {
    const made = place();
    const run = start([], { TMPDIR: made });
    expect(await run.exitCode).toBe(0);
    expect(run.errors()).toBe('');
    const proof = /│ ([\d,]+) +│ ([\d,]+) +│ ([\d,]+) +│ 0 +│ 0 +│/.exec(run.output());
    expect(proof?.[1]).toBe(proof?.[2]);
    expect(Number(proof?.[3]?.replace(',', ''))).toBeGreaterThan(1000);
    expect(run.output()).toMatch(/20,000 users .* 60,000 API keys/);
    for (const answer of [
      'hidden',
      '0 rows',
      'its user is null',
      'the first deleted_at stays',
      'EMAIL_EXISTS',
      'gone',
      'Delete Series: 1 of public.tour_series, 2 of public.tour_episodes',
      'level 1  public.tour_episodes  cascade          2',
      'refused by tour_series_title_live',
      '2 of public.tour_episodes, 1 of public.tour_series; the episode deleted before stays deleted',
    ]) {
      expect(run.output()).toContain(answer);
    }
    expect(await left(made)).toEqual([]);
  }, 60_000);

  it.each([
    ['SIGINT', 150],
    ['SIGTERM', 900],
    ['SIGKILL', 1500],
    ['SIGKILL', 3000],
    ['SIGINT', 3500],
  ] as const)(
    'ended by %s after %i ms leaves no process and no directory',
    async (signal, after) => {
      const made = place();
      const run = start([], { TMPDIR: made });
      await sleep(after);
      run.child.kill(signal);
      expect(await run.exitCode).not.toBe(0);
      expect(await left(made)).toEqual([]);
    },
    60_000,
  );

  it('ends when npm is killed, which hands no signal on', async () => {
    const made = place();
    const env = { ...process.env, NODE_OPTIONS: '', TMPDIR: made };
    const parent = spawn('npm', ['start'], { cwd: ROOT, stdio: 'ignore', env });
    for (let tries = 0; traces(made).length === 0 && tries < 100; tries += 1) await sleep(50);
    expect(traces(made)).not.toEqual([]);
    parent.kill('SIGKILL');
    expect(await left(made)).toEqual([]);
  }, 60_000);

  it('uses the server of DATABASE_URL, in a database of its own that it drops', async () => {
    const url = (await testServer()).url();
    const databases = async (): Promise<number> => {
      const client = new Client({ connectionString: url });
      await client.connect();
      const { rows } = await client.query("select from pg_database where datname like 'tombstone_tour_%'");
      await client.end();
      return rows.length;
    };
    const run = start([], { DATABASE_URL: url });
    expect(await run.exitCode).toBe(0);
    expect(run.output()).toContain('the server of DATABASE_URL');
    expect(await databases()).toBe(0);
  }, 60_000);

  it('keeps the server with --keep, prints its URL, and says how to stop it', async () => {
    const made = place();
    const run = start(['--keep'], { TMPDIR: made });
    expect(await run.exitCode).toBe(0);
    const url = /The database stays: (\S+)/.exec(run.output())?.[1];
    const client = new Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query<{ users: number }>('select count(*)::int as users from users');
    await client.end();
    expect(rows[0]?.users).toBeGreaterThanOrEqual(20_000);
    process.kill(Number(/kill (\d+)/.exec(run.output())?.[1]));
    expect(await left(made)).toEqual([]);
  }, 60_000);

  it.each([
    ['a refused connection', { DATABASE_URL: 'postgresql://ada:s3cret@127.0.0.1:1/x' }, []],
    ['a URL of another kind', { DATABASE_URL: 'mysql://ada:s3cret@127.0.0.1/x' }, []],
    ['an unknown option', {}, ['--nope']],
  ])('answers %s with one sentence, exit code 1 and no password', async (_name, env, args) => {
    const run = start(args, env);
    expect(await run.exitCode).toBe(1);
    expect(run.errors().trim().split('\n').length).toBeLessThanOrEqual(2);
    expect(run.errors()).not.toMatch(/s3cret|\bat .*:\d+:\d+/);
    expect(run.errors().trim()).not.toBe('');
  });
});
