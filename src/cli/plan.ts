import type { Command } from 'commander';
import type { PlannedFile, PlannedStatement } from '../kit/migrations/index.ts';
import { common, type CommonOptions, open, say } from './open.ts';

/** Adds `migrate plan`. */
export function addPlan(migrate: Command): void {
  common(
    migrate.command('plan').description('what up would run, with the locks of each statement; nothing runs'),
  )
    .option('--to <file>', 'up to this file: its name or its number')
    .action(plan);
}

async function plan(options: CommonOptions & { readonly to?: string }): Promise<void> {
  const { target, migrator } = await open(options);
  const files = await migrator.plan({ to: options.to });
  if (options.json) return say(JSON.stringify({ target: target.shown, files }));
  say(`Database ${target.shown}`);
  for (const file of files) showFile(file);
  say(files.length === 0 ? 'Nothing to do.' : `${files.length} pending. Nothing was run.`);
}

function showFile({ name, transactional, statements }: PlannedFile): void {
  say(`${name}${transactional ? '' : '  without a transaction'}`);
  for (const statement of statements) say(`  ${lineOf(statement)}`);
}

function lineOf({ line, text, locks, effect }: PlannedStatement): string {
  const first = text.split('\n')[0]?.trim() ?? '';
  const shown = first.length > 70 ? `${first.slice(0, 67)}...` : first;
  const notes = [...locks.map(({ table, mode }) => `${mode} on ${table}`), ...(effect ? [effect] : [])];
  return `${line}: ${shown}${notes.length === 0 ? '' : `\n      ${notes.join(', ')}`}`;
}
