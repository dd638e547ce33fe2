import type { Command } from 'commander';
import {
  backstopMigration,
  type BackstopTable,
  coveredByMigrations,
  createMigration,
  loadMigrations,
  type MigrationSource,
  type NewMigration,
} from '../kit/migrations/index.ts';
import { type Configuration, modulesIn, readConfiguration } from './configuration.ts';
import { UsageError } from './exit-codes.ts';

interface BackstopCommandOptions {
  readonly tables?: readonly string[];
  readonly role: readonly string[];
  readonly config?: string;
  readonly json?: boolean;
}

/** Adds `backstop <module>`. It writes a file and needs no database. */
export function addBackstop(program: Command): void {
  program
    .command('backstop')
    .description(
      'write a migration that makes the database itself refuse to lose rows of soft-deletable tables',
    )
    .argument('<module>', 'the module whose next migration it becomes')
    .option('--tables <names>', 'only these, with commas between them; all when left out', names)
    .option(
      '--role <name>',
      'hold for this role only; may be repeated',
      (name, all: string[]) => [...all, name],
      [],
    )
    .option('--config <file>', 'the configuration; mikro-orm.config.ts, .js or .mjs here when left out')
    .option('--json', 'one JSON object on standard output, nothing else; of a failure too')
    .option('--verbose', 'with a failure, print the stack trace too')
    .action(run);
}

const names = (text: string): string[] => text.split(',').map((name) => name.trim());

async function run(module: string, options: BackstopCommandOptions): Promise<void> {
  const configuration = await readConfiguration(options.config);
  const source = sourceOf(configuration, module);
  const known = await tablesOf(configuration, module);
  const covered = new Set(coveredByMigrations(known, await loadMigrations([source])));
  const tables = choose(module, known, covered, options.tables);
  const path = await createMigration(source, migrationFor(tables, options.role));
  const shown = tables.map(nameOf);
  const text = options.json
    ? JSON.stringify({ path, module, tables: shown, roles: options.role })
    : `Wrote ${path}\nIt guards ${shown.join(', ')}. Apply it with "tombstone migrate up", and configure backstop: true.`;
  process.stdout.write(`${text}\n`);
}

function sourceOf(configuration: Configuration, module: string): MigrationSource {
  const modules = modulesIn(configuration);
  const source = modules.find(({ name }) => name === module);
  if (source) return source;
  const all = modules.map(({ name }) => name).join(', ');
  throw new UsageError(`There is no module ${module} in ${configuration.path}. Name one of: ${all}.`);
}

async function tablesOf({ path, config }: Configuration, module: string): Promise<BackstopTable[]> {
  // Loaded here, because no other command needs the ORM.
  const { tablesOfModule } = await import('../kit/config/index.ts');
  const tables = await tablesOfModule(config as never, module);
  if (tables) return tables;
  throw new UsageError(
    `${path} does not tell the entities of ${module}. Export defineDataConfig(...) from it.`,
  );
}

/** Nothing is written unless every table that was asked for can be guarded. */
function choose(
  module: string,
  known: readonly BackstopTable[],
  covered: ReadonlySet<BackstopTable>,
  asked: readonly string[] | undefined,
): BackstopTable[] {
  if (known.length === 0)
    throw new UsageError(`Module ${module} has no soft-deletable entity. Name another module.`);
  const tables =
    asked?.map((name) => find(module, known, name)) ?? known.filter((table) => !covered.has(table));
  if (tables.length === 0) {
    throw new UsageError(
      `Every soft-deletable table of ${module} is guarded by a migration. There is nothing to write.`,
    );
  }
  const twice = tables.find((table) => covered.has(table));
  if (twice) {
    throw new UsageError(
      `${nameOf(twice)} is guarded by a migration of ${module}. Leave it out, or drop its triggers in a migration first.`,
    );
  }
  const anywhere = tables.find(({ schema }) => schema === '*');
  if (anywhere) {
    throw new UsageError(
      `The schema of ${anywhere.table} is chosen at run time. Leave it out, and build its migrations with backstopMigration.`,
    );
  }
  return tables;
}

function find(module: string, known: readonly BackstopTable[], name: string): BackstopTable {
  const found = known.filter((table) => nameOf(table) === name || table.table === name);
  const [table] = found;
  if (table && found.length === 1) return table;
  const all = known.map(nameOf).join(', ');
  throw new UsageError(
    table
      ? `There are several tables ${name}. Name one with its schema: ${found.map(nameOf).join(', ')}.`
      : `${JSON.stringify(name)} is no table of a soft-deletable entity of ${module}. Name some of: ${all}.`,
  );
}

function migrationFor(tables: readonly BackstopTable[], roles: readonly string[]): NewMigration {
  try {
    return backstopMigration(tables, { roles });
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

const nameOf = ({ schema, table }: BackstopTable): string =>
  schema === undefined ? table : `${schema}.${table}`;
