import type { Options } from '@mikro-orm/core';
import { dropsLiveParent, parseMigration } from '../kit/migrations/index.ts';
import { optionsAt } from './open-orm.ts';

/**
 * The statements with which the ORM would bring a database to its entities; undefined when the configuration has none.
 *
 * @param config what the configuration file exports.
 * @param dropTables false leaves out tables that no entity has, which may be somebody else's.
 */
export async function entityDifference(
  config: object,
  clientUrl: string,
  dropTables = true,
): Promise<string[] | undefined> {
  const { entities } = config as Options;
  if (!entities || entities.length === 0) return undefined;
  // The command works without the ORM otherwise.
  const { MikroORM } = await import('@mikro-orm/core');
  const orm = await MikroORM.init(optionsAt(config, clientUrl));
  try {
    const schema = orm.config.getExtension<{ getUpdateSchemaSQL(options: object): Promise<string> }>(
      '@mikro-orm/schema-generator',
    );
    const sql = (await schema?.getUpdateSchemaSQL({ wrap: false, dropTables })) ?? '';
    const statements = parseMigration('difference of entities', sql).up.map(({ text }) => text);
    return statements.filter((text) => !dropsLiveParent(text));
  } finally {
    await orm.close();
  }
}
