import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { findSlower, readRecorded } from '../../bench/comparison/guard.ts';
import { testServer } from '../support/database.ts';

const RECORDED = { W1: { a: 0.9, b: 0.3 }, W2: { a: 0.5 } };

/** Answers one after the other, and remembers what it was asked for. */
function measuring(...answers: readonly (typeof RECORDED)[]) {
  const asked: (readonly string[])[] = [];
  const measure = async (workloads: readonly string[]): Promise<typeof RECORDED> => {
    asked.push(workloads);
    return answers[asked.length - 1] as typeof RECORDED;
  };
  return { asked, measure };
}

describe('the guard of the ratios', () => {
  const slow = { W1: { a: 0.59, b: 0.3 }, W2: { a: 0.5 } };

  it('measures once where nothing is slower than 1.5 times', async () => {
    const { asked, measure } = measuring({ W1: { a: 0.61, b: 0.21 }, W2: { a: 0.34 } });
    expect(await findSlower(RECORDED, measure)).toEqual([]);
    expect(asked).toEqual([['W1', 'W2']]);
  });

  it('measures again what was slower, and nothing else, and forgives it when it is not slower in one of three tries', async () => {
    for (const answers of [
      [slow, RECORDED],
      [slow, slow, RECORDED],
    ]) {
      const { asked, measure } = measuring(...answers);
      expect(await findSlower(RECORDED, measure)).toEqual([]);
      expect(asked).toEqual([['W1', 'W2'], ...answers.slice(1).map(() => ['W1'])]);
    }
  });

  it('answers what was slower three times in a row', async () => {
    const { asked, measure } = measuring(slow, slow, slow, RECORDED);
    expect(await findSlower(RECORDED, measure)).toEqual([
      { workload: 'W1', library: 'a', recorded: 0.9, measured: 0.59 },
    ]);
    expect(asked).toHaveLength(3);
  });

  it('refuses to pass with nothing recorded, or with a record of what is not measured', async () => {
    await expect(findSlower({}, measuring().measure)).rejects.toThrow('No ratio is recorded');
    const gone = { W1: { gone: 1 } };
    await expect(findSlower(gone, measuring(RECORDED).measure)).rejects.toThrow('gone has a recorded ratio');
    const broken = { W1: { a: Number.NaN, b: 0.3 }, W2: { a: 0.5 } };
    await expect(findSlower(RECORDED, measuring(broken).measure)).rejects.toThrow('was not measured');
  });

  it('has a record for every workload and every library of this repository', () => {
    const workloads = ['W1', 'W2', 'W3', 'W4', 'W5', 'W6', 'W7', 'W8', 'W9'];
    const libraries = ['mikro-plain', 'mikro-filter', 'tombstone', 'tombstone-orm'];
    const recorded = readRecorded();
    expect(Object.keys(recorded)).toEqual(expect.arrayContaining(workloads));
    for (const workload of workloads) expect(Object.keys(recorded[workload] ?? {})).toEqual(libraries);
  });
});

describe('npm run bench -- --guard', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tombstone-guard-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = async (ratio: number): Promise<{ code: number; output: string }> => {
    const recorded = join(folder, `${ratio}.json`);
    writeFileSync(recorded, JSON.stringify({ W8: { tombstone: ratio } }));
    const url = (await testServer()).url();
    const { NODE_OPTIONS: _options, ...env } = process.env;
    return new Promise((done) => {
      execFile(
        process.execPath,
        // Nothing is built yet when tests run.
        [
          '--import',
          './tools/from-sources.js',
          'bench/main.ts',
          '--guard',
          '--only',
          'W8',
          '--recorded',
          recorded,
        ],
        { cwd: resolve(import.meta.dirname, '../..'), env: { ...env, DATABASE_URL: url } },
        (error, stdout, stderr) => done({ code: Number(error?.code ?? 0), output: stdout + stderr }),
      );
    });
  };

  it('fails with a record that nothing reaches, and passes with one that everything does', async () => {
    const high = await run(100);
    expect(high.output).toMatch(/W8: tombstone reaches [\d.]+ of pg instead of 100, three times in a row/);
    expect(high.code).toBe(1);
    const low = await run(0.001);
    expect(low.output).toContain('No library of this repository is more than 1.5 times slower');
    expect(low.code).toBe(0);
  }, 240_000);
});
