import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MigrationError, type MigrationSource } from '../kit/migrations/index.ts';
import { UsageError } from './exit-codes.ts';
import { withoutSecrets } from './secrets.ts';

const DEFAULT_FILES = ['mikro-orm.config.ts', 'mikro-orm.config.js', 'mikro-orm.config.mjs'];

/** A configuration file, loaded; what it exports is not looked at yet. */
export interface Configuration {
  readonly path: string;
  readonly config: unknown;
}

/**
 * The configuration that MikroORM's own command line reads, so that both have one truth.
 *
 * @throws UsageError when there is no file, or it cannot be loaded.
 * @throws MigrationError that the configuration throws.
 */
export async function readConfiguration(file: string | undefined): Promise<Configuration> {
  const path = file === undefined ? findDefault() : resolve(file);
  if (!existsSync(path)) throw new UsageError(`There is no configuration file ${path}. Correct --config.`);
  return { path, config: await load(path) };
}

/**
 * The modules of the configuration.
 *
 * @throws UsageError when there is no file, or it was not made with `defineDataConfig`.
 */
export async function readModules(file: string | undefined): Promise<MigrationSource[]> {
  return modulesIn(await readConfiguration(file));
}

/** @throws UsageError when the configuration was not made with `defineDataConfig`. */
export function modulesIn({ path, config }: Configuration): MigrationSource[] {
  const modules = (config as { migrations?: { modules?: MigrationSource[] } } | undefined)?.migrations
    ?.modules;
  if (modules && modules.length > 0) return modules;
  throw new UsageError(
    `${path} has no modules. Export defineDataConfig({ modules: [...] }) from it as default.`,
  );
}

async function load(path: string): Promise<unknown> {
  try {
    const { default: exported } = (await import(pathToFileURL(path).href)) as { default?: unknown };
    return typeof exported === 'function' ? await exported() : await exported;
  } catch (error) {
    // A configuration may ask the engine, and its errors have sentences and exit codes of their own.
    if (error instanceof MigrationError) throw error;
    const reason = withoutSecrets(String(error).split('\n')[0] ?? '', process.env);
    throw new UsageError(`The configuration ${path} cannot be loaded: ${reason}. Correct it.`, {
      cause: error,
    });
  }
}

function findDefault(): string {
  const found = DEFAULT_FILES.map((name) => resolve(name)).find((path) => existsSync(path));
  if (found) return found;
  throw new UsageError(
    `There is no configuration here. Run the command where ${DEFAULT_FILES[0]} is, or name the file with --config.`,
  );
}
