import type { Command } from 'commander';
import { checkDown, type DownReport } from '../kit/migrations/index.ts';
import { readModules } from './configuration.ts';
import { EXIT } from './exit-codes.ts';
import { type CommonOptions, running, say } from './open.ts';
import { untilStopped } from './scratch.ts';
import { readTarget } from './target.ts';
import { variablesOf } from './variables.ts';

/** Adds `migrate check-down`. */
export function addCheckDown(migrate: Command): void {
  running(
    migrate
      .command('check-down')
      .description('run every file up, down and up in scratch databases, and name what does not come back'),
  ).action(check);
}

async function check(options: CommonOptions): Promise<void> {
  const target = readTarget(process.env);
  const reports = await checkDown({
    connection: target.url,
    modules: await readModules(options.config),
    variables: variablesOf(process.env, options.allowRawValues),
    signal: untilStopped(),
  });
  const failed = reports.filter(({ problems }) => problems.length > 0);
  if (options.json) say(JSON.stringify({ target: target.shown, files: reports }));
  else {
    say(`Scratch databases on the server of ${target.shown}`);
    for (const report of reports) show(report);
    say(failed.length === 0 ? 'Every Down gives back what it should.' : `${failed.length} files fail.`);
  }
  process.exitCode = failed.length === 0 ? EXIT.done : EXIT.down;
}

function show({ file, reversible, problems, expected, notes }: DownReport): void {
  say(`${file}  ${reversible ? (problems.length === 0 ? 'ok' : 'FAILS') : 'no Down'}`);
  for (const { kind, sentence } of problems) say(`  ${kind}: ${sentence}`);
  for (const what of expected) say(`  admitted: values of ${what} are lost`);
  for (const note of notes) say(`  note: ${note}`);
}
