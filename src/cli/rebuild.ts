import type { Command } from 'commander';
import { describeDifference, rebuild, type RebuildVariant } from '../kit/migrations/index.ts';
import { readModules } from './configuration.ts';
import { EXIT } from './exit-codes.ts';
import { type CommonOptions, running, say } from './open.ts';
import { readClock, readScratch, untilStopped } from './scratch.ts';
import { readTarget } from './target.ts';
import { variablesOf } from './variables.ts';

/** Adds `migrate rebuild`. */
export function addRebuild(migrate: Command): void {
  running(
    migrate
      .command('rebuild')
      .description(
        'build the schema from nothing in ways that must not matter, in scratch databases, and compare',
      ),
  ).action(run);
}

async function run(options: CommonOptions): Promise<void> {
  const target = readTarget(process.env);
  const scratch = readScratch(process.env);
  const variants = await rebuild({
    connection: target.url,
    modules: await readModules(options.config),
    variables: variablesOf(process.env, options.allowRawValues),
    scratch,
    signal: untilStopped(scratch),
    clock: readClock(process.env),
  });
  if (options.json) say(JSON.stringify({ target: target.shown, variants }));
  else {
    say(`Scratch databases on the server of ${target.shown}`);
    for (const variant of variants) show(variant);
  }
  const isWrong = variants.some(({ outcome }) => outcome === 'differs' || outcome === 'fails');
  process.exitCode = isWrong ? EXIT.rebuild : EXIT.done;
}

function show({ name, outcome, sentence, differences }: RebuildVariant): void {
  say(`${name.padEnd(20)} ${outcome.padEnd(8)} ${sentence}`);
  for (const difference of differences) say(describeDifference(difference).replace(/^/gm, '  '));
}
