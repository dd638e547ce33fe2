import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { MigrationSource } from '../kit/migrations/index.ts';
import { UsageError } from './exit-codes.ts';
import { withoutSecrets } from './secrets.ts';

const DEFAULT_FILES = ['mikro-orm.config.ts', 'mikro-orm.config.js', 'mikro-orm.config.mjs'];

/** What the configuration file exports, and the modules in it. */
export interface Configuration {
  readonly config: object;
  readonly modules: MigrationSource[];
}

/**
 * The modules of the configuration that MikroORM's own command line reads, so that both have one truth.
 *
 * @throws UsageError when there is no file, or it was not made with `defineDataConfig`.
 */
export async function readModules(file: string | undefined): Promise<MigrationSource[]> {
  return (await readConfiguration(file)).modules;
}

/** As {@link readModules}, together with the whole configuration. */
export async function readConfiguration(file: string | undefined): Promise<Configuration> {
  const path = file === undefined ? findDefault() : resolve(file);
  if (!existsSync(path)) throw new UsageError(`There is no configuration file ${path}. Correct --config.`);
  const config = await load(path);
  const modules = (config as { migrations?: { modules?: MigrationSource[] } } | undefined)?.migrations
    ?.modules;
  if (modules && modules.length > 0) return { config: config as object, modules };
  throw new UsageError(
    `${path} has no modules. Export defineDataConfig({ modules: [...] }) from it as default.`,
  );
}

async function load(path: string): Promise<unknown> {
  try {
    const { default: exported } = (await import(pathToFileURL(path).href)) as { default?: unknown };
    return typeof exported === 'function' ? await exported() : await exported;
  } catch (error) {
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
