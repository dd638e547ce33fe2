import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { Matrix, MatrixRow, sums } from '../../leaks/matrix.ts';
import { matrixPage } from '../../leaks/matrix-page.ts';
import { probesOf } from '../../src/kit/testing/leaks/index.ts';
import { run } from '../support/command.ts';
import { type Library, openLibrary } from './fixtures/library.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

let library: Library;
beforeAll(async () => {
  library = await openLibrary();
});
afterAll(() => library.close());

describe('the page that names a probe or a test for every way to a dead row', () => {
  /** The last cell of each row, and what stands in it between backticks. */
  const answers = read('docs/leak-matrix.md')
    .split('\n')
    .filter((line, index, all) => /^\| [^-]/.test(line) && !all[index + 1]?.startsWith('| ---'))
    .map((line) => ({
      line,
      names: [...(line.split(' | ').at(-1) ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? ''),
    }));
  const files = new Map(
    readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => [file.split('/').at(-1) ?? '', join('test', file)]),
  );
  const exists = (name: string, verbs: ReadonlySet<string>): boolean => {
    const [, file = '', title = ''] = /^([\w-]+(?:\.test)?\.ts): (.+)$/.exec(name) ?? [];
    if (file === '') return verbs.has(name);
    return files.has(file) && read(files.get(file) ?? '').includes(`'${title}'`);
  };

  it('answers for each of them', () => {
    expect(answers.length).toBeGreaterThan(45);
    expect(answers.filter(({ names }) => names.length === 0)).toEqual([]);
  });

  it('names only what exists', () => {
    const verbs = new Set(probesOf(library.orm).map(({ verb }) => verb));
    expect(exists('read-probes.ts: no such probe', verbs) || exists('no such verb', verbs)).toBe(false);
    const missing = answers.flatMap(({ names }) => names.filter((name) => !exists(name, verbs)));
    expect(missing).toEqual([]);
  });

  it('names every verb of the suite', () => {
    const named = new Set(answers.flatMap(({ names }) => names));
    const verbs = new Set(probesOf(library.orm).map(({ verb }) => verb));
    expect([...verbs].filter((verb) => !named.has(verb))).toEqual([]);
  });
});

/** What `npm run leaks -- --json` prints. */
interface Found extends Record<'tombstone' | 'recipe' | 'stock', ReturnType<typeof sums>> {
  readonly probes: number;
  readonly controls: number;
  readonly matrix: Matrix;
}

describe('npm run leaks', () => {
  let found: Found;
  beforeAll(async () => {
    const { code, out, err } = await run(['--import', './tools/from-sources.js', 'leaks/main.ts', '--json']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    found = JSON.parse(out) as Found;
  }, 300_000);

  const versions = { mikroOrm: '7.2.1', postgresql: '18', node: '24' };

  it('is all green for the layer, with stock MikroORM and its recipe beside it', () => {
    const page = matrixPage(found.matrix, versions);
    const rows = page.split('\n').filter((line) => line.endsWith(' |') && /\d/.test(line));
    expect(rows.length).toBeGreaterThan(80);
    expect(rows.filter((row) => !/\| ✓ \d+ \|$/.test(row))).toEqual([]);
    expect(page).toMatch(/\| many-to-one, NOT NULL: populate joined \| \d+ \| ✗ 0 \| ✗ \d+ \| ✓ \d+ \|/);
    expect(found.controls).toBe(found.probes);
  });

  it('shows a leak of the layer as one', () => {
    const asStock = ({ right: [stock = 0, recipe = 0], ...row }: MatrixRow): MatrixRow => ({
      ...row,
      right: [stock, recipe, stock],
    });
    const leaky = { ...found.matrix, verbs: found.matrix.verbs.map(asStock) };
    expect(matrixPage(leaky, versions)).toMatch(/\| find \| \d+ \|.* ✗ 0 \|$/m);
  });

  it('is what docs/soft-delete.md says of it', () => {
    const outOfTen = ({ right, wrong }: ReturnType<typeof sums>): number =>
      Math.round((10 * right) / (right + wrong));
    const [, recipe, stock] =
      /documented recipe about (\d+) in 10, MikroORM as it comes (\d+)/.exec(
        read('docs/soft-delete.md').replaceAll(/\s+/g, ' '),
      ) ?? [];
    expect({ recipe: Number(recipe), stock: Number(stock) }).toEqual({
      recipe: outOfTen(found.recipe),
      stock: outOfTen(found.stock),
    });
    expect(found.tombstone.wrong).toBe(0);
  });
});
