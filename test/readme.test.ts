import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { emptyTestDatabase } from './support/database.ts';

const ROOT = resolve(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const pages = ['README.md', 'AGENTS.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'migrations/README.md'].concat(
  readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
);

describe('the README’s sample', () => {
  const before = process.env['DATABASE_URL'];

  beforeAll(async () => {
    process.env['DATABASE_URL'] = (await emptyTestDatabase()).url;
  });
  afterAll(() => {
    if (before === undefined) delete process.env['DATABASE_URL'];
    else process.env['DATABASE_URL'] = before;
  });

  it('is the example that is run here', () => {
    const sample = /```ts\n(.*?)```/s.exec(read('README.md'))?.[1];
    expect(sample).toBe(read('examples/quickstart.ts'));
  });

  it('prints what its comments say', async () => {
    const printed: unknown[] = [];
    const log = jest.spyOn(console, 'log').mockImplementation((value) => void printed.push(value));
    try {
      await import('../examples/quickstart.ts');
    } finally {
      log.mockRestore();
    }
    expect(printed.slice(0, 3)).toEqual(['active', 0, 1]);
    expect(printed[3]).toContain('e-mail');
  });
});

describe('the documentation', () => {
  it.each(pages)('%s links only to files that exist', (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:|#|mailto:)([^)#]+)[^)]*\)/g)].map(
      (match) => match[1] ?? '',
    );
    const existing = (link: string): boolean => {
      try {
        readdirSync(join(ROOT, dirname(page), link));
        return true;
      } catch (error) {
        return (error as NodeJS.ErrnoException).code === 'ENOTDIR';
      }
    };
    expect(links.filter((link) => !existing(link))).toEqual([]);
  });
});
