import { afterAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdirSync, readFileSync, readdirSync, statSync, statfsSync } from 'node:fs';
import { tmpdir as tmpdirOfSystem } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { RunAs } from '../../src/kit/testing/index.ts';
import {
  clusterParent,
  commandLine,
  launch,
  nothing,
  remains,
  removeClusterParents,
  settled,
} from './testing-launch.ts';

const isRoot = process.getuid?.() === 0;
// Only root can become another user; the other ways run everywhere.
const asRoot = isRoot ? it.concurrent : it.skip;

const otherPids = ['unshare', '--pid', '--fork', '--mount-proc'];
const withPidNamespaces =
  spawnSync(otherPids[0] ?? '', [...otherPids.slice(1), 'true']).status === 0 ? it.concurrent : it.skip;

afterAll(removeClusterParents);

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}

function hasRoomyMemory(): boolean {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm');
    return bavail * bsize > 2 ** 30;
  } catch {
    return false;
  }
}

async function nothingStays(ending: 'exit' | 'throw' | 'drain' | 'stop', runAs?: RunAs): Promise<unknown> {
  const dataParent = clusterParent();
  const program = launch({ options: { dataParent, runAs }, ending });
  const { directory, version } = await program.report;
  expect(directory.startsWith(dataParent)).toBe(true);
  expect(version).toMatch(/^\d\d/);
  const how = await program.ended;
  expect(await settled(dataParent)).toEqual(nothing);
  return how;
}

async function nothingStaysAfter(signal: NodeJS.Signals, runAs?: RunAs): Promise<unknown> {
  const dataParent = clusterParent();
  const program = launch({ options: { dataParent, runAs }, ending: 'wait' });
  const { url, supervisorPid } = await program.report;
  expect(await answers(url)).toBe(true);
  // To the whole process group, as a terminal does it for Ctrl-C.
  process.kill(-(program.child.pid ?? supervisorPid), signal);
  const how = await program.ended;
  expect(await settled(dataParent)).toEqual(nothing);
  return how;
}

describe('the embedded server ends with the process that started it', () => {
  it.concurrent('when it exits', async () => {
    expect(await nothingStays('exit')).toBe(0);
  });

  it.concurrent('when nothing is left to do, without a stop', async () => {
    expect(await nothingStays('drain')).toBe(0);
  });

  it.concurrent('when an error is not caught', async () => {
    expect(await nothingStays('throw')).toBe(1);
  });

  it.concurrent('when stopped, by when it is gone already', async () => {
    expect(await nothingStays('stop')).toBe(0);
  });

  it.concurrent.each(['SIGINT', 'SIGTERM', 'SIGKILL', 'SIGHUP'] as const)(
    'when its group gets %s',
    async (signal) => {
      expect(await nothingStaysAfter(signal)).toBe(signal);
    },
  );

  asRoot('also as nobody with copied binaries, where user namespaces are not allowed', async () => {
    const all = [
      nothingStays('stop', 'nobody'),
      nothingStays('throw', 'nobody'),
      nothingStaysAfter('SIGINT', 'nobody'),
      nothingStaysAfter('SIGKILL', 'nobody'),
    ];
    expect(await Promise.all(all)).toEqual([0, 1, 'SIGINT', 'SIGKILL']);
  });

  it.concurrent.each([undefined, ...(isRoot ? (['nobody'] as const) : [])])(
    'when killed at any moment of the start (run as %s)',
    async (runAs) => {
      const killAfter = async (delay: number): Promise<void> => {
        const dataParent = clusterParent();
        const program = launch({ options: { dataParent, runAs }, ending: 'wait' });
        await sleep(delay);
        program.child.kill('SIGKILL');
        await program.ended;
        expect(await settled(dataParent)).toEqual(nothing);
      };
      await Promise.all([80, 120, 160, 220, 300, 400, 550, 700].map(killAfter));
    },
  );

  it.concurrent('when its supervisor was killed and stop is called', async () => {
    const dataParent = clusterParent();
    const program = launch({ options: { dataParent }, ending: 'stop when told' });
    const { url, supervisorPid } = await program.report;
    process.kill(supervisorPid, 'SIGKILL');
    expect(await answers(url)).toBe(true);
    program.child.stdin?.end();
    expect(await program.ended).toBe(0);
    expect(remains(dataParent)).toEqual(nothing);
  });
});

describe('the next start', () => {
  it.concurrent(
    'sweeps what a killed supervisor left, server included, and leaves running servers alone',
    async () => {
      const dataParent = clusterParent();
      const killed = launch({ options: { dataParent }, ending: 'wait' });
      const running = launch({ options: { dataParent }, ending: 'wait' });
      const [left, live] = await Promise.all([killed.report, running.report]);
      process.kill(left.supervisorPid, 'SIGKILL');
      killed.child.kill('SIGKILL');
      await killed.ended;
      expect(commandLine(left.pid)).toContain(left.directory);

      const next = launch({ options: { dataParent }, ending: 'wait' });
      const fresh = await next.report;
      expect(commandLine(left.pid)).toBe('');
      expect(
        readdirSync(dataParent)
          .map((name) => join(dataParent, name))
          .toSorted(),
      ).toEqual([live.directory, fresh.directory].toSorted());
      expect(await answers(live.url)).toBe(true);

      next.child.kill('SIGTERM');
      running.child.kill('SIGTERM');
      expect(await settled(dataParent)).toEqual(nothing);
    },
  );
});

describe('the next start in another pid namespace, as in a container that shares the directory', () => {
  withPidNamespaces('leaves a server alone whose process it cannot see', async () => {
    const dataParent = clusterParent();
    const running = launch({ options: { dataParent }, ending: 'wait' });
    const { url, directory } = await running.report;
    const next = launch({ options: { dataParent }, ending: 'stop', wrapper: otherPids });
    expect(await next.report).toMatchObject({ version: expect.any(String) });
    await next.ended;
    expect(readdirSync(dataParent).map((name) => join(dataParent, name))).toEqual([directory]);
    expect(await answers(url)).toBe(true);
    running.child.kill();
    expect(await settled(dataParent)).toEqual(nothing);
  });
});

describe('the temporary directory', () => {
  it.concurrent(
    'is made where TMPDIR says, also when that makes the path too long for a socket',
    async () => {
      const tmpdir = join(clusterParent(), 'a'.repeat(90));
      mkdirSync(tmpdir);
      const program = launch({ tmpdir, ending: 'wait' });
      const { directory, url } = await program.report;
      expect(dirname(directory)).toBe(tmpdir);
      expect(await answers(url)).toBe(true);
      program.child.kill();
      expect(await settled(tmpdir)).toEqual(nothing);
    },
  );

  it.concurrent('is shared memory when that has room and TMPDIR is not set', async () => {
    const { directory } = await launch({ ending: 'exit' }).report;
    expect(dirname(directory)).toBe(hasRoomyMemory() ? '/dev/shm' : tmpdirOfSystem());
  });
});

describe('a detached server', () => {
  it.concurrent('outlives the process that started it and ends when its supervisor is told', async () => {
    const dataParent = clusterParent();
    const program = launch({ options: { dataParent, detached: true }, ending: 'exit' });
    const { url, supervisorPid, directory } = await program.report;
    expect(await program.ended).toBe(0);
    await sleep(500);
    expect(await answers(url)).toBe(true);
    expect(readdirSync(dataParent).map((name) => join(dataParent, name))).toEqual([directory]);
    process.kill(supervisorPid, 'SIGTERM');
    expect(await settled(dataParent)).toEqual(nothing);
  });

  it.concurrent('can be stopped by the process that started it', async () => {
    const dataParent = clusterParent();
    const program = launch({ options: { dataParent, detached: true }, ending: 'stop' });
    expect(await program.ended).toBe(0);
    expect(remains(dataParent)).toEqual(nothing);
  });
});

describe('a failed start', () => {
  it.concurrent.each([undefined, ...(isRoot ? (['nobody'] as const) : [])])(
    'says why in words of PostgreSQL and leaves nothing (run as %s)',
    async (runAs) => {
      const dataParent = clusterParent();
      const program = launch({ options: { dataParent, runAs, settings: { work_mem: 'plenty' } } });
      const { code, message } = await program.report;
      expect(code).toBe('TESTING.START_FAILED');
      expect(message).toContain('invalid value for parameter "work_mem": "plenty"');
      expect(remains(dataParent)).toEqual(nothing);
      expect(await program.ended).toBe(3);
    },
  );

  it.concurrent('names a port that is taken', async () => {
    const dataParent = clusterParent();
    const holder = createServer();
    const port = await new Promise<number>((resolve) => {
      holder.listen(0, '127.0.0.1', () => {
        const address = holder.address();
        resolve(typeof address === 'object' && address ? address.port : 0);
      });
    });
    const { code, message } = await launch({ options: { dataParent, port } }).report;
    holder.close();
    expect(code).toBe('TESTING.START_FAILED');
    expect(message).toContain('Address already in use');
    expect(remains(dataParent)).toEqual(nothing);
  });

  it.concurrent('names a directory that is not there', async () => {
    const dataParent = join(clusterParent(), 'missing');
    const { code, message } = await launch({ options: { dataParent } }).report;
    expect(code).toBe('TESTING.START_FAILED');
    expect(message).toContain(`${dataParent} cannot be written (ENOENT)`);
  });
});

describe('the password of the embedded server', () => {
  it.concurrent(
    'is random, asked for over TCP, and neither in a command line, an environment nor the log',
    async () => {
      const dataParent = clusterParent();
      const programs = [1, 2].map(() =>
        launch({ options: { dataParent, settings: { work_mem: '7MB' } }, ending: 'wait' }),
      );
      const [first, second] = await Promise.all(programs.map((program) => program.report));
      if (!first || !second) throw new Error('two servers were started');
      const { password } = new URL(first.url);
      expect(password.length).toBeGreaterThanOrEqual(20);
      expect(new URL(second.url).password).not.toBe(password);
      expect(await answers(first.url.replace(password, new URL(second.url).password))).toBe(false);

      const places = [first.pid, first.supervisorPid].flatMap((pid) => [
        `/proc/${pid}/cmdline`,
        `/proc/${pid}/environ`,
      ]);
      for (const place of [...places, join(first.directory, 'server.log')]) {
        expect(readFileSync(place, 'utf8')).not.toContain(password);
      }
      expect(statSync(first.directory).mode & 0o777).toBe(0o700);

      const client = new Client({ connectionString: first.url });
      await client.connect();
      const { rows } = await client.query(
        "select current_setting('listen_addresses') as listen, current_setting('work_mem') as memory, current_setting('fsync') as fsync",
      );
      await client.end();
      expect(rows).toEqual([{ listen: '127.0.0.1', memory: '7MB', fsync: 'off' }]);
      for (const program of programs) program.child.kill();
      expect(await settled(dataParent)).toEqual(nothing);
    },
  );

  it.concurrent('keeps crash safety on when asked for a durable server', async () => {
    const dataParent = clusterParent();
    const program = launch({ options: { dataParent, durable: true }, ending: 'wait' });
    const client = new Client({ connectionString: (await program.report).url });
    await client.connect();
    expect((await client.query('show fsync')).rows).toEqual([{ fsync: 'on' }]);
    await client.end();
    program.child.kill();
    expect(await settled(dataParent)).toEqual(nothing);
  });
});
