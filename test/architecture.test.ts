import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const SRC = resolve(import.meta.dirname, '../src');
const KIT_ROOMS = new Set([
  'columns',
  'config',
  'deletion',
  'errors',
  'input',
  'migrations',
  'orm',
  'queries',
  'soft-delete',
  'testing',
  'transactions',
]);
const MODULES = ['gateway', 'devices', 'media'];

/** Which rooms of the kit a room may import; a room that is not listed may import none. */
const KIT_ARROWS: Readonly<Record<string, readonly string[]>> = {
  testing: ['config', 'migrations', 'orm', 'soft-delete', 'errors'],
  config: ['deletion', 'orm', 'soft-delete', 'errors', 'input', 'migrations'],
  deletion: ['transactions', 'orm', 'soft-delete', 'errors'],
  orm: ['soft-delete', 'errors', 'input', 'migrations'],
  transactions: ['errors', 'orm'],
  input: ['columns', 'errors'],
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly external?: string;
  readonly typeOnly: boolean;
}

function sourceFiles(): string[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.replaceAll('\\', '/'));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(SRC, file), 'utf8');
  const pattern = /^(?:import|export)\s+(type\s)?(?:[^'";]*?from\s+)?'([^']+)';|import\('([^']+)'\)/gms;
  return [...text.matchAll(pattern)].map((match) => {
    const specifier = match[2] ?? match[3] ?? '';
    const typeOnly = match[1] !== undefined;
    if (!specifier.startsWith('.')) return { from: file, to: '', external: specifier, typeOnly };
    const target = relative(SRC, resolve(dirname(join(SRC, file)), specifier)).replaceAll('\\', '/');
    return { from: file, to: target, typeOnly };
  });
}

/** The folder that counts as one room: `kit/orm`, `gateway/users`, `cli`, or the root. */
function roomOf(file: string): string {
  const parts = file.split('/');
  if (parts.length === 1) return '';
  return parts[0] === 'cli' || parts.length === 2 ? (parts[0] ?? '') : parts.slice(0, 2).join('/');
}

const moduleOf = (file: string): string | undefined => MODULES.find((name) => file.startsWith(`${name}/`));
const kitRoomOf = (file: string): string | undefined => /^kit\/([^/]+)\//.exec(file)?.[1];

const all = sourceFiles().flatMap(importsOf);
const internal = all.filter((entry) => !entry.external);
const say = (entries: readonly Import[]): string[] =>
  entries.map((entry) => `${entry.from} -> ${entry.to || entry.external}`);

describe('the arrows between the rooms of src', () => {
  it('is read from a tree that has imports in it', () => {
    expect(internal.length).toBeGreaterThan(50);
    expect(new Set(internal.map((entry) => kitRoomOf(entry.from)))).toContain('orm');
  });

  it('points from the command to the modules to the kit, never back', () => {
    const back = internal.filter(
      (entry) =>
        (entry.from.startsWith('kit/') && !entry.to.startsWith('kit/')) ||
        (moduleOf(entry.from) &&
          !entry.to.startsWith('kit/') &&
          moduleOf(entry.to) !== moduleOf(entry.from)) ||
        (!entry.from.startsWith('cli/') && entry.to.startsWith('cli/')),
    );
    expect(say(back)).toEqual([]);
  });

  it('points only downwards inside the kit', () => {
    const wrong = internal.filter((entry) => {
      const from = kitRoomOf(entry.from);
      const to = kitRoomOf(entry.to);
      return from && to && from !== to && !KIT_ARROWS[from]?.includes(to);
    });
    expect(say(wrong)).toEqual([]);
  });

  it('has a room for every folder of the kit', () => {
    const rooms = new Set(sourceFiles().map(kitRoomOf).filter(Boolean));
    expect([...rooms].filter((room) => !KIT_ROOMS.has(room as string))).toEqual([]);
  });

  it('enters another room only by its index', () => {
    const through = internal.filter((entry) => {
      const sameModule = moduleOf(entry.from) && moduleOf(entry.from) === moduleOf(entry.to);
      const entersRoom = roomOf(entry.from) !== roomOf(entry.to) && !sameModule;
      return entersRoom && !entry.to.endsWith('/index.ts');
    });
    expect(say(through)).toEqual([]);
  });

  it('keeps the ORM out of the migration engine', () => {
    const orm = all.filter(
      (entry) => kitRoomOf(entry.from) === 'migrations' && entry.external?.includes('mikro-orm'),
    );
    expect(say(orm)).toEqual([]);
  });

  it('never imports the testing door from src', () => {
    const testing = internal.filter(
      (entry) => kitRoomOf(entry.to) === 'testing' && kitRoomOf(entry.from) !== 'testing',
    );
    expect(say(testing)).toEqual([]);
  });

  it('reads the environment of the process only in the command', () => {
    const readers = sourceFiles().filter(
      (file) => !file.startsWith('cli/') && readFileSync(join(SRC, file), 'utf8').includes('process.env'),
    );
    // The launcher of the embedded server hands PATH on to the processes that it starts.
    expect(readers.filter((file) => !file.startsWith('kit/testing/'))).toEqual([]);
  });

  it('has no drawer for what belongs nowhere', () => {
    const drawers = sourceFiles().filter((file) => /(^|\/)(utils?|helpers?|common|lib)(\/|\.ts$)/.test(file));
    expect(drawers).toEqual([]);
  });
});
