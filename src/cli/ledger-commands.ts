import { userInfo } from 'node:os';
import type { Command } from 'commander';
import type { MigrationResult, Repair } from '../kit/migrations/index.ts';
import { EXIT, UsageError } from './exit-codes.ts';
import { common, type CommonOptions, locking, open, running, say } from './open.ts';
import { factsOf } from './verdict.ts';

interface RepairArguments extends CommonOptions {
  readonly allCommentOnly?: boolean;
  readonly acceptChangedStatements?: boolean;
  readonly yes?: boolean;
}

interface BaselineArguments extends CommonOptions {
  readonly to: string;
  readonly yes?: boolean;
}

/** Adds `migrate verify | repair | baseline | redo`. */
export function addLedgerCommands(migrate: Command): void {
  locking(running(migrate.command('redo').description('revert the last file and apply it again'))).action(
    redo,
  );
  common(migrate.command('verify').description('compare files and ledger, and list all that differs')).action(
    verify,
  );
  const repairs = migrate
    .command('repair [files...]')
    .description('bring the ledger in line with files that were edited or renamed');
  locking(common(repairs))
    .option('--all-comment-only', 'all files of which only comments or white space were edited')
    .option('--accept-changed-statements', 'also a file whose statements were changed')
    .option('--yes', 'write it; without, it is only shown')
    .action(repair);
  locking(common(migrate.command('baseline').description('record files as applied without running them')))
    .requiredOption('--to <file>', 'the last of them: its name or its number')
    .option('--yes', 'also where the ledger has rows already')
    .action(baseline);
}

async function verify(options: CommonOptions): Promise<void> {
  const { target, migrator } = await open(options);
  const findings = await migrator.findings();
  const shown = findings.map(factsOf);
  if (options.json) say(JSON.stringify({ target: target.shown, findings: shown }));
  else {
    say(`Database ${target.shown}`);
    for (const { code, message } of shown) say(`${code}: ${message}`);
    say(shown.length === 0 ? 'Files and ledger agree.' : `${shown.length} found.`);
  }
  process.exitCode = shown[0]?.exitCode ?? EXIT.done;
}

async function repair(files: string[], options: RepairArguments): Promise<void> {
  if ((files.length === 0) === !options.allCommentOnly)
    throw new UsageError('Name the files to repair, or say --all-comment-only, and not both.');
  const { target, migrator } = await open(options);
  const repairs = await migrator.repair({
    files: options.allCommentOnly ? 'comments' : files,
    acceptChangedStatements: options.acceptChangedStatements === true,
    dryRun: !options.yes,
    by: userInfo().username,
  });
  const written = options.yes === true;
  const document = { target: target.shown, written, repairs };
  if (!options.json) {
    for (const each of repairs) say(lineOf(each, written));
    if (repairs.length === 0) say('Nothing to repair.');
  }
  if (repairs.length > 0 && !written)
    throw new UsageError('Nothing was written. Say --yes to write it.', { document });
  if (options.json) say(JSON.stringify(document));
}

function lineOf({ filename, kind, before, after }: Repair, written: boolean): string {
  const change =
    kind === 'renamed' ? `was ${before}` : `${before?.slice(0, 12)} becomes ${after.slice(0, 12)}`;
  return `${written ? 'repaired' : 'would repair'} ${filename} (${kind}): ${change}`;
}

async function baseline(options: BaselineArguments): Promise<void> {
  const { target, migrator } = await open(options);
  const files = await migrator.baseline({
    to: options.to,
    force: options.yes === true,
    by: userInfo().username,
  });
  if (options.json) return say(JSON.stringify({ target: target.shown, files }));
  for (const file of files) say(`recorded ${file}`);
  say(`${files.length} recorded as applied; nothing was run.`);
}

async function redo(options: CommonOptions): Promise<void> {
  const { target, migrator, progress } = await open(options);
  let results: MigrationResult[];
  try {
    results = await migrator.redo();
  } finally {
    progress.end();
  }
  const [file] = results.flatMap(({ steps }) => steps.map(({ name }) => name));
  if (options.json) return say(JSON.stringify({ target: target.shown, file: file ?? null }));
  say(file ? `${file} reverted and applied again.` : 'Nothing to do: no file is applied.');
}
