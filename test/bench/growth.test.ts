import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { growthPlan, planOfGrowth } from '../../bench/comparison/growth-plan.ts';
import {
  growthBars,
  growthTables,
  type Line,
  linesByCallers,
  linesByRows,
} from '../../bench/comparison/growth-tables.ts';
import type { Grown, Growth } from '../../bench/comparison/run-growth.ts';
import { readArguments } from '../../bench/arguments.ts';
import { testServer } from '../support/database.ts';

const ALL = ['W1', 'W2', 'W3', 'W4', 'W5', 'W6', 'W7', 'W8'];
const LIBRARIES = ['pg', 'mikro-plain', 'tombstone', 'tombstone-orm'];

const planned = (line: string) => growthPlan(readArguments(['--growth', ...line.split(' ').filter(Boolean)]));
/** The names of the workloads by so many callers, at each length. */
const namesBy = (line: string, callers: number): string[][] =>
  planned(line).steps.map(({ rows }) =>
    rows.filter((row) => row.callers === callers).map((row) => row.workload),
  );

describe('the plan of growth', () => {
  it('has each length by one caller, and the shortest by all numbers of callers', () => {
    const without = (...names: string[]) => ALL.filter((name) => !names.includes(name));
    expect(namesBy('', 1)).toEqual([ALL, ALL, without('W4', 'W5')]);
    for (const callers of [8, 32, 128]) expect(namesBy('', callers)).toEqual([without('W5', 'W7'), [], []]);
  });

  it('says what it leaves out, and does it where it is asked for by name', () => {
    expect(planned('').leftOut.map((sentence) => sentence.slice(0, 9))).toEqual([
      'W5 and W7',
      'W4 and W5',
      'Deletions',
    ]);
    expect(planned('--scale 1,10 --callers 1').leftOut).toHaveLength(1);
    const named = '--only W4,W5 --scale 1,100 --callers 1,8';
    expect([namesBy(named, 1), namesBy(named, 8)]).toEqual([
      [
        ['W4', 'W5'],
        ['W4', 'W5'],
      ],
      [['W4', 'W5'], []],
    ]);
    expect(() => planned('--only W1,cascade')).toThrow('cascade has no table of growth. Choose from W1,');
  });

  it('makes the logs only where they are written, and those of deletions once', () => {
    const sizes = planned('').steps.map(({ size }) => [size.apiKeys, size.usageLogs, size.times]);
    expect(sizes).toEqual([
      [60_000, 300_000, 1],
      [600_000, 3_000_000, 1],
      [6_000_000, 300_000, 1],
    ]);
    const [, { size }] = planned('--only W5 --scale 1,100').steps as never as [
      never,
      { size: { usageLogs: number } },
    ];
    expect(size.usageLogs).toBe(30_000_000);
  });

  it('has the rounds that were asked for, and no more calls than keep many callers busy', () => {
    const options = readArguments(['--growth', '--rounds', '4']);
    const by = (callers: number) => planOfGrowth({ name: 'W1', workload: 'W1', callers }, options);
    expect([by(1), by(8), by(128), by(512)].map(({ rounds, calls }) => [rounds, calls])).toEqual([
      [4, 100],
      [4, 25],
      [4, 2],
      [4, 1],
    ]);
  });
});

describe('npm run bench -- --growth --quick', () => {
  let growth: Growth & { environment: string };
  let said: string;
  beforeAll(async () => {
    const { NODE_OPTIONS: _options, ...env } = process.env;
    const argv = ['bench/main.ts', '--growth', '--quick', '--json', '--only', 'W1,W4,W7', '--callers', '1,4'];
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ['--import', './tools/from-sources.js', ...argv],
      {
        cwd: resolve(import.meta.dirname, '../..'),
        env: { ...env, DATABASE_URL: (await testServer()).url() },
        maxBuffer: 1 << 24,
      },
    );
    [growth, said] = [JSON.parse(stdout), stderr];
  }, 240_000);

  const cellOf = (lines: readonly Line[], workload: string, library: string) =>
    lines.find((line) => line.workload === workload && line.library === library)?.cells;
  const measuredAt = (workload: string, library: string, scale: number, callers: number): Grown | undefined =>
    growth.measured.find(
      (one) =>
        one.workload === workload &&
        one.variant === library &&
        one.scale === scale &&
        one.callers === callers,
    );

  it('measures every workload by every library at every size once', () => {
    const sizes = [
      [1, 1],
      [1, 4],
      [2, 1],
    ] as const;
    for (const workload of ['W1', 'W4', 'W7'])
      for (const library of LIBRARIES)
        for (const [scale, callers] of sizes) {
          const one = measuredAt(workload, library, scale, callers);
          expect([workload, library, scale, callers, one?.rounds]).toEqual([
            workload,
            library,
            scale,
            callers,
            2,
          ]);
          expect(one?.throughput).toBeGreaterThan(0);
        }
    expect(growth.measured).toHaveLength(3 * LIBRARIES.length * sizes.length);
    expect(growth.environment).toContain('PostgreSQL');
    expect(growth.settings.map((line) => /10 connections for each.*"apiKeys":(\d+)/.exec(line)?.[1])).toEqual(
      ['6000', '12000'],
    );
    expect(said).toContain('W1-by-4 x1: pg 1.00, ');
  });

  it('has a line for each workload and library, with the ratio to pg and to the smallest size', () => {
    const tables: [Line[], [number, number]][] = [
      [linesByRows(growth), [2, 1]],
      [linesByCallers(growth), [1, 4]],
    ];
    for (const [lines, last] of tables) {
      expect(lines.map(({ workload, library }) => `${workload} ${library}`)).toEqual(
        ['W1', 'W4', 'W7'].flatMap((workload) => LIBRARIES.map((library) => `${workload} ${library}`)),
      );
      for (const { workload, library } of lines) {
        const [first, second] = [measuredAt(workload, library, 1, 1), measuredAt(workload, library, ...last)];
        expect(cellOf(lines, workload, library)).toEqual([
          { ratio: first?.ratio.median, relative: 1 },
          { ratio: second?.ratio.median, relative: Number(second?.throughput) / Number(first?.throughput) },
        ]);
      }
      for (const { cells } of lines.filter(({ library }) => library === 'pg'))
        expect(cells.map((cell) => cell?.ratio)).toEqual([1, 1]);
    }
  });

  it('has no cell at a size at which a workload did not run, and no line where it ran at one only', () => {
    const cut = {
      ...growth,
      scales: [1, 2, 3],
      measured: growth.measured.filter((one) => one.workload !== 'W7' || one.callers === 1),
    };
    expect(cellOf(linesByRows(cut), 'W7', 'tombstone')?.map(Boolean)).toEqual([true, true, false]);
    expect(cellOf(linesByCallers(cut), 'W7', 'tombstone')).toBeUndefined();
    const text = growthTables(cut);
    expect(text).toMatch(/W7 +│ tombstone +│ [\d.]+ {2}×1.00 +│ [\d.]+ {2}×[\d.]+ +│ – +│/);
    expect(text).toContain('│ 1 x the rows │ 2 x the rows │ 3 x the rows │');
    expect(text).toMatch(/│ 1 caller +│ 4 callers +│/);
    expect(text).toContain('Left out:\nDeletions');
    const one = { ...growth, callers: [1] };
    expect(growthTables(one)).not.toContain('1 caller');
  });

  it('draws each library at each size, and pg not', () => {
    const bars = growthBars(growth, 'W1');
    expect(bars.map(({ name }) => name)).toEqual(
      LIBRARIES.slice(1).flatMap((library) => [`${library} ×1`, `${library} by 4`, `${library} ×2`]),
    );
    expect(bars[1]).toEqual({ name: 'mikro-plain by 4', ...measuredAt('W1', 'mikro-plain', 1, 4)?.ratio });
  });
});
