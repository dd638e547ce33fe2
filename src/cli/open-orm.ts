import type { MikroORM, Options } from '@mikro-orm/core';
import type { DataDriver, DataEntityManager } from '../kit/orm/index.ts';
import { type Configuration, readConfiguration } from './configuration.ts';
import { UsageError } from './exit-codes.ts';
import type { CommonOptions } from './open.ts';
import { readTarget } from './target.ts';

/** The ORM of a command, at the database of DATABASE_URL. */
export interface OpenedOrm {
  /** The target without its password. */
  readonly target: string;
  readonly em: DataEntityManager;
}

/** A configuration of the ORM, at another database than the one that it names; it prints nothing and has no replicas. */
export function optionsAt(config: object, clientUrl: string): Options {
  const target = {
    dbName: undefined,
    host: undefined,
    port: undefined,
    user: undefined,
    password: undefined,
  };
  return { ...config, ...target, replicas: undefined, debug: false, clientUrl } as Options;
}

/**
 * Runs `work` with the ORM of the configuration, for commands that need its entities.
 *
 * @throws UsageError when the configuration was not made with `defineDataConfig`, or has no entities.
 */
export async function withOrm<T>(
  options: CommonOptions,
  work: (opened: OpenedOrm) => Promise<T>,
): Promise<T> {
  const { url, shown } = readTarget(process.env);
  const orm = await openOrm(await readConfiguration(options.config), url);
  try {
    return await work({ target: shown, em: orm.em.fork() });
  } finally {
    await orm.close();
  }
}

async function openOrm(
  { path, config }: Configuration,
  url: string,
): Promise<MikroORM<DataDriver, DataEntityManager>> {
  const [core, kit] = await Promise.all([import('@mikro-orm/core'), import('../kit/orm/index.ts')]);
  const { driver, entities } = (config ?? {}) as Options;
  if (driver !== kit.DataDriver) {
    throw new UsageError(
      `${path} was not made with defineDataConfig of this package. Export defineDataConfig(...) from it as default.`,
    );
  }
  if (!entities || entities.length === 0)
    throw new UsageError(`${path} has no entities. List modules that have some.`);
  return core.MikroORM.init(optionsAt(config as object, url)) as never;
}
