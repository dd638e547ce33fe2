import type { Command } from 'commander';
import { describeDifference, type Drift, findDrift } from '../kit/migrations/index.ts';
import { modulesIn, readConfiguration } from './configuration.ts';
import { entityDifference } from './entities.ts';
import { EXIT } from './exit-codes.ts';
import { type CommonOptions, running, say } from './open.ts';
import { readScratch, untilStopped } from './scratch.ts';
import { readTarget } from './target.ts';
import { variablesOf } from './variables.ts';

/** Adds `migrate drift`. */
export function addDrift(migrate: Command): void {
  running(
    migrate
      .command('drift')
      .description(
        'compare the database with its files, and the files with the entities; the database is only read',
      ),
  ).action(drift);
}

async function drift(options: CommonOptions): Promise<void> {
  const target = readTarget(process.env);
  const configuration = await readConfiguration(options.config);
  const modules = modulesIn(configuration);
  const scratch = readScratch(process.env);
  let entities: string[] | undefined;
  const found = await findDrift({
    connection: target.url,
    modules,
    variables: variablesOf(process.env, options.allowRawValues),
    scratch,
    signal: untilStopped(scratch),
    inspect: async (rebuilt) => {
      entities = await entityDifference(configuration.config as object, urlOf(rebuilt));
    },
  });
  if (options.json) say(JSON.stringify({ target: target.shown, ...found, entities: entities ?? null }));
  else show(target.shown, found, entities);
  const differs = found.findings.length > 0 || (entities ?? []).length > 0;
  process.exitCode = differs ? EXIT.drift : EXIT.done;
}

/** Scratch databases come from a URL here, so they have one. */
function urlOf(connection: Parameters<NonNullable<Parameters<typeof findDrift>[0]['inspect']>>[0]): string {
  return typeof connection === 'string' ? connection : (connection.connectionString ?? '');
}

function show(target: string, { findings, pending, missing }: Drift, entities: string[] | undefined): void {
  say(`Database ${target}`);
  for (const finding of findings) {
    say(describeDifference(finding));
    say(`  last file  ${finding.file ?? '(none: no file has made it)'}`);
  }
  for (const name of missing)
    say(`${name} is applied and its file is gone; what it made is not expected here.`);
  if (pending.length > 0) say(`${pending.length} files are pending and not part of the comparison.`);
  say(findings.length === 0 ? 'Database and applied files agree.' : `${findings.length} objects differ.`);
  if (!entities) return say('The configuration has no entities to compare.');
  say(entities.length === 0 ? 'Files and entities agree.' : 'The entities would need:');
  for (const statement of entities) say(`  ${statement}`);
}
