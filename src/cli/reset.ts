import type { Command } from 'commander';
import { MigrationError, resetDatabase, type ResetResult } from '../kit/migrations/index.ts';
import { readModules } from './configuration.ts';
import { UsageError } from './exit-codes.ts';
import { type CommonOptions, running, say } from './open.ts';
import { progressFor } from './progress.ts';
import { readTarget } from './target.ts';
import { variablesOf } from './variables.ts';

interface ResetArguments extends CommonOptions {
  readonly database: string;
  readonly schema?: string[];
  readonly yes?: boolean;
}

/** Adds `migrate reset`. */
export function addReset(migrate: Command): void {
  running(
    migrate
      .command('reset')
      .description('development only: drop everything of the modules with all rows, and migrate anew'),
  )
    .requiredOption('--database <name>', 'the database that loses everything; it must be the connected one')
    .option('--schema <name...>', 'schemas to drop besides public and those that the files create')
    .option('--yes', 'do it; without, nothing is touched')
    .action(reset);
}

async function reset(options: ResetArguments): Promise<void> {
  refuseProduction(process.env);
  const target = readTarget(process.env);
  const modules = await readModules(options.config);
  if (!options.yes)
    throw new UsageError(
      `Nothing was touched. Say --yes to drop everything in ${options.database} and migrate anew.`,
    );
  const progress = progressFor(process, options.json === true);
  let result: ResetResult;
  try {
    result = await resetDatabase({
      connection: target.url,
      modules,
      variables: variablesOf(process.env, options.allowRawValues),
      onProgress: (event) => progress.tell(event),
      database: options.database,
      schemas: options.schema ?? [],
    });
  } finally {
    progress.end();
  }
  const files = result.run.steps.map(({ name }) => name);
  if (options.json) return say(JSON.stringify({ target: target.shown, schemas: result.schemas, files }));
  say(`${target.shown}: dropped ${result.schemas.join(', ')}, applied ${files.length} files.`);
}

function refuseProduction(environment: NodeJS.ProcessEnv): void {
  if (environment['NODE_ENV'] !== 'production') return;
  throw new MigrationError(
    'MIGRATION.RESET_REFUSED',
    'NODE_ENV is production, and reset is for development only. Drop the database by hand, if it may go.',
  );
}
