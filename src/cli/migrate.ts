import { type Command, Option } from 'commander';
import {
  type DownOptions,
  type InDoubt,
  type MigrationResult,
  type MigrationState,
  type MigrationStatus,
  type UpOptions,
  type Waiver,
} from '../kit/migrations/index.ts';
import { addAdopt } from './adopt.ts';
import { addBackfill } from './backfill.ts';
import { common, type CommonOptions, locking, open, running, say } from './open.ts';
import { exitCodeLines, UsageError } from './exit-codes.ts';
import { addLedgerCommands } from './ledger-commands.ts';
import { addCheckDown } from './check-down.ts';
import { addDrift } from './drift.ts';
import { addLint } from './lint.ts';
import { addNew } from './new.ts';
import { addPlan } from './plan.ts';
import { positive } from './positive.ts';
import { addRebuild } from './rebuild.ts';
import { addReset } from './reset.ts';
import type { Target } from './target.ts';

interface RunOptions extends CommonOptions {
  readonly to?: string;
  readonly steps?: number;
  readonly inDoubt?: InDoubt;
  readonly waive?: string;
  readonly reason?: string;
}

const TO = 'up to (or down to) this file: its name or its number; 0 reverts all';

/** Adds `migrate` and its commands. */
export function addMigrate(program: Command): void {
  const migrate = program
    .command('migrate')
    .description('apply and revert the SQL migrations of the configured modules; the target is DATABASE_URL')
    .addHelpText('after', `\nExit codes:\n${exitCodeLines().join('\n')}`);
  locking(running(migrate.command('up').description('apply pending files')))
    .option('--to <file>', TO)
    .option('--steps <number>', 'at most this many files', positive)
    .addOption(inDoubtOption())
    .option('--waive <file>', 'apply this contract step although something stands against it; needs --reason')
    .option('--reason <text>', 'why, for the record in schema_migration_waivers')
    .action((options: RunOptions) => run(options, 'up'));
  locking(running(migrate.command('up-by-one').description('apply the next pending file')))
    .addOption(inDoubtOption())
    .action((options: RunOptions) => run({ ...options, steps: 1 }, 'up'));
  locking(running(migrate.command('down').description('revert the last file, or more')))
    .option('--to <file>', TO)
    .option('--steps <number>', 'this many files; 1 when left out', positive)
    .addOption(inDoubtOption())
    .action((options: RunOptions) => run(options, 'down'));
  addBackfill(migrate, common);
  common(migrate.command('version').description('the last applied file of each module')).action(version);
  common(migrate.command('status').description('every file, and whether it is applied')).action(status);
  addLedgerCommands(migrate);
  addAdopt(migrate);
  addNew(migrate);
  addLint(migrate);
  addPlan(migrate);
  addDrift(migrate);
  addCheckDown(migrate);
  addRebuild(migrate);
  addReset(migrate);
}

function inDoubtOption(): Option {
  const about = 'a statement of which an interrupted run left unknown whether it was done';
  return new Option('--in-doubt <answer>', about).choices(['done', 'again']);
}

async function run(options: RunOptions, direction: 'up' | 'down'): Promise<void> {
  const waive = waiverOf(options);
  const { target, migrator, progress } = await open(options, (shown) =>
    options.json ? undefined : say(`${direction === 'up' ? 'Migrating' : 'Reverting'} ${shown}`),
  );
  const { to, steps, inDoubt } = options;
  try {
    const result = await (direction === 'up'
      ? migrator.up({ ...upOptions(to, steps), inDoubt, waive })
      : migrator.down({ ...downOptions(to, steps), inDoubt }));
    progress.end();
    report(target, result, options.json === true);
  } finally {
    progress.end();
  }
}

function waiverOf({ waive: file, reason }: RunOptions): Waiver[] {
  if (file === undefined && reason === undefined) return [];
  if (file !== undefined && reason !== undefined) return [{ file, reason }];
  throw new UsageError('--waive FILE and --reason "why" go together.');
}

const upOptions = (to?: string, steps?: number): UpOptions => ({ to, steps });
const downOptions = (to?: string, steps?: number): DownOptions => ({ to: to === '0' ? 0 : to, steps });

function report(target: Target, { direction, steps, ms }: MigrationResult, json: boolean): void {
  if (json) {
    const files = steps.map(({ name, ms: took }) => ({ name, ms: Math.round(took) }));
    return say(JSON.stringify({ target: target.shown, direction, files, ms: Math.round(ms) }));
  }
  const verb = direction === 'up' ? 'applied' : 'reverted';
  const files = steps.length === 1 ? '1 file' : `${steps.length} files`;
  say(
    steps.length === 0 ? `Nothing to do: no file was ${verb}.` : `${files} ${verb} in ${ms.toFixed(0)} ms.`,
  );
}

async function version(options: CommonOptions): Promise<void> {
  const { target, migrator } = await open(options);
  const versions = await migrator.version();
  if (options.json) return say(JSON.stringify({ target: target.shown, versions }));
  say(`Database ${target.shown}`);
  if (versions.length === 0) say('No migration is applied.');
  for (const { name } of versions) say(name);
}

async function status(options: CommonOptions): Promise<void> {
  const { target, migrator } = await open(options);
  const rows = await migrator.status();
  if (options.json) return say(JSON.stringify({ target: target.shown, migrations: rows }));
  say(`Database ${target.shown}`);
  for (const row of rows) say(lineOf(row));
  const recorded = rows.filter(({ appliedAt }) => appliedAt !== undefined).length;
  const count = (state: MigrationState): number => rows.filter((row) => row.state === state).length;
  const unfinished = count('unfinished') === 0 ? '' : `, ${count('unfinished')} unfinished`;
  say(`${recorded} recorded, ${count('pending')} pending${unfinished}.`);
}

function lineOf(row: MigrationStatus): string {
  const when = row.appliedAt?.toISOString() ?? ''.padEnd(24);
  return `${row.state.padEnd(10)} ${when}  ${row.name}${noteOn(row)}`;
}

function noteOn({ state, edited, progress, reversible }: MigrationStatus): string {
  if (progress) {
    const { direction, done, of } = progress;
    return `  ${done} of ${of} statements done; "migrate ${direction}" goes on`;
  }
  if (edited === 'comments') return '  only its comments were edited after it was applied';
  if (state === 'changed') return '  edited after it was applied';
  if (state === 'missing') return '  its file is gone';
  if (state === 'foreign') return '  recorded by another tool';
  return reversible ? '' : '  no Down';
}
