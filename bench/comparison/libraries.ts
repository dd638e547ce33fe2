import { fileURLToPath } from 'node:url';

/** A library and the file that says how it does the workloads. */
export interface LibraryFile {
  readonly name: string;
  readonly path: string;
  /** The packages that a program which uses it has to install. */
  readonly packages: readonly string[];
  /** Whether it belongs to `bench/peers`, a package of its own. */
  readonly isPeer: boolean;
}

const own = (name: string, ...packages: string[]): LibraryFile => ({
  name,
  packages,
  isPeer: false,
  path: fileURLToPath(new URL(`libraries/${name}.ts`, import.meta.url)),
});
const peer = (name: string, ...packages: string[]): LibraryFile => ({
  name,
  packages,
  isPeer: true,
  path: fileURLToPath(new URL(`../peers/${name}.ts`, import.meta.url)),
});

const MIKRO_ORM = ['@mikro-orm/core', '@mikro-orm/postgresql'];

/** All that are compared; the first one is the floor. */
export const LIBRARIES: readonly LibraryFile[] = [
  own('pg', 'pg'),
  peer('pg-copy', 'pg', 'pg-copy-streams'),
  peer('postgresjs', 'postgres'),
  peer('kysely', 'kysely', 'pg'),
  peer('drizzle', 'drizzle-orm', 'pg'),
  peer('typeorm', 'typeorm', 'pg'),
  peer('sequelize', 'sequelize', 'pg'),
  peer(
    'prisma',
    '@prisma/client',
    '@prisma/adapter-pg',
    '@candoimage/prisma-extension-soft-delete',
    'prisma',
  ),
  peer('objection', 'objection', 'knex', 'pg', 'objection-js-soft-delete'),
  own('mikro-plain', ...MIKRO_ORM),
  own('mikro-filter', ...MIKRO_ORM),
  own('tombstone', 'tombstone', ...MIKRO_ORM),
  own('tombstone-orm', 'tombstone', ...MIKRO_ORM),
];

/** Those that were asked for, and always the floor. @throws TypeError naming one that is not known. */
export function chosenLibraries(names: readonly string[], withPeers: boolean): LibraryFile[] {
  const unknown = names.find((name) => !LIBRARIES.some((library) => library.name === name));
  if (unknown !== undefined)
    throw new TypeError(
      `${unknown} is no library of the bench. Choose from ${LIBRARIES.map((one) => one.name).join(', ')}.`,
    );
  return LIBRARIES.filter(
    ({ name, isPeer }, n) => n === 0 || (names.length > 0 ? names.includes(name) : withPeers || !isPeer),
  );
}
