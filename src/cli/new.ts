import type { Command } from 'commander';
import { createMigration } from '../kit/migrations/index.ts';
import { readModules } from './configuration.ts';
import { UsageError } from './exit-codes.ts';
import { common, type CommonOptions, say } from './open.ts';

/** Adds `migrate new`, which writes a file and needs no database. */
export function addNew(migrate: Command): void {
  common(
    migrate.command('new <module> <description...>').description('write an empty file with the next number'),
  ).action(create);
}

async function create(module: string, description: string[], options: CommonOptions): Promise<void> {
  const modules = await readModules(options.config);
  const source = modules.find(({ name }) => name === module);
  if (!source)
    throw new UsageError(
      `There is no module ${module}. Modules are: ${modules.map(({ name }) => name).join(', ')}.`,
    );
  const path = await createMigration(source, { description: description.join(' '), up: [], down: [] });
  say(options.json ? JSON.stringify({ path }) : path);
}
