import { type Command, Option } from 'commander';
import type { PlannedFile, PlannedStatement, PlanOptions } from '../kit/migrations/index.ts';
import { UsageError } from './exit-codes.ts';
import { common, type CommonOptions, open, say } from './open.ts';
import { positive } from './positive.ts';

interface PlanArguments extends CommonOptions {
  readonly to?: string;
  readonly steps?: number;
  readonly down?: boolean;
  readonly redo?: boolean;
}

/** Adds `migrate plan`. */
export function addPlan(migrate: Command): void {
  common(
    migrate
      .command('plan')
      .description('what up, down or redo would run, with the locks of each statement; nothing runs'),
  )
    .option('--down', 'of "down": the Down of the last file, or of more')
    .addOption(new Option('--redo', 'of "redo": the last file, down and up').conflicts('down'))
    .option('--to <file>', 'up to (or down to) this file: its name or its number; 0 reverts all')
    .option('--steps <number>', 'at most this many files; 1 is what "up-by-one" would run', positive)
    .action(plan);
}

async function plan(options: PlanArguments): Promise<void> {
  const wanted = wantedOf(options);
  const { target, migrator } = await open(options);
  const files = await migrator.plan(wanted);
  if (options.json) return say(JSON.stringify({ target: target.shown, files }));
  say(`Database ${target.shown}`);
  for (const file of files) showFile(file);
  say(files.length === 0 ? 'Nothing to do.' : `${summaryOf(files, wanted)}. Nothing was run.`);
}

function wantedOf({ to, steps, down, redo }: PlanArguments): PlanOptions {
  if (down) return { direction: 'down', to: to === '0' ? 0 : to, steps };
  if (!redo) return { direction: 'up', to, steps };
  if (to === undefined && steps === undefined) return { direction: 'redo' };
  throw new UsageError('--redo is about the last file; leave --to and --steps out.');
}

function summaryOf(files: readonly PlannedFile[], { direction }: PlanOptions): string {
  if (direction === 'redo') return '1 to revert and apply again';
  return `${files.length} ${direction === 'down' ? 'to revert' : 'pending'}`;
}

function showFile({ name, direction, transactional, statements }: PlannedFile): void {
  say(`${name}${direction === 'down' ? '  Down' : ''}${transactional ? '' : '  without a transaction'}`);
  for (const statement of statements) say(`  ${lineOf(statement)}`);
}

function lineOf({ line, text, locks, effect, isDone, isSplit }: PlannedStatement): string {
  const first = text.split('\n')[0]?.trim() ?? '';
  const shown = first.length > 70 ? `${first.slice(0, 67)}...` : first;
  if (isDone) return `${line}: ${shown}\n      done by an interrupted run`;
  const notes = [
    ...locks.map(({ table, mode }) => `${mode} on ${table}`),
    ...(effect ? [effect] : []),
    ...(isSplit ? ['in parts, partition by partition'] : []),
  ];
  return `${line}: ${shown}${notes.length === 0 ? '' : `\n      ${notes.join(', ')}`}`;
}
