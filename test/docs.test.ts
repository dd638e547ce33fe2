import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cloneTestDatabase, testServer } from './support/database.ts';

const ROOT = resolve(import.meta.dirname, '..');
const OUT = join(ROOT, 'test/.docs');

/** The TypeScript of a page, all blocks in order as one module. */
function codeOf(page: string): string {
  const text = readFileSync(join(ROOT, 'docs', page), 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```/gms)].map((match) => match[1]).join('\n');
}

const pages = readdirSync(join(ROOT, 'docs')).filter((file) => file.endsWith('.md') && codeOf(file) !== '');

beforeAll(() => {
  mkdirSync(OUT, { recursive: true });
});
afterAll(() => rmSync(OUT, { recursive: true, force: true }));

describe('the examples of the pages, run as they are printed', () => {
  it('are found', () => {
    expect(pages).toEqual(
      expect.arrayContaining(['soft-delete.md', 'errors.md', 'transactions.md', 'testing.md']),
    );
  });

  it.each(pages)('docs/%s', async (page): Promise<void> => {
    const code = codeOf(page);
    // An example without an assertion could say anything.
    expect(code).toContain('assert.');
    const file = join(OUT, page.replace('.md', '.ts'));
    writeFileSync(file, code);
    process.env['DATABASE_URL'] = (await cloneTestDatabase()).url;
    process.env['TEST_DATABASE_URL'] = (await testServer()).url();
    await import(file);
  });
});
