import { BACKSTOP_FUNCTION, createFunction, dropUnusedFunction } from './backstop-function.ts';
import type { NewMigration } from './create.ts';
import type { MigrationFile } from './files.ts';

/** A table that the database itself shall keep from losing rows. Names are as they are stored, without quotes. */
export interface BackstopTable {
  /** Left out: the schema that the migration runs in. */
  readonly schema?: string | undefined;
  readonly table: string;
  /** The column that marks a row as deleted. */
  readonly deletedAt: string;
}

export interface BackstopOptions {
  /**
   * Roles that the backstop holds for, and with them every role that inherits from one and is no superuser. Left out: it
   * holds for everyone.
   */
  readonly roles?: readonly string[] | undefined;
}

/** The triggers of one table, as the catalogue names them. */
export const BACKSTOP_TRIGGERS = ['tombstone_backstop_delete', 'tombstone_backstop_update'] as const;

/** Tells a transaction's writes apart: `on` lets them pass. */
export const BACKSTOP_SETTING = 'tombstone.skip_soft_delete';

/**
 * The text of a migration that makes PostgreSQL refuse, on each table, every DELETE and every UPDATE of a row that is marked
 * as deleted, unless the transaction has set `tombstone.skip_soft_delete` to `on`. An ordinary update, and the one that marks,
 * cost the evaluation of one condition.
 *
 * @throws TypeError for an empty list, a table that occurs twice, or a name that PostgreSQL would shorten.
 */
export function backstopMigration(
  tables: readonly BackstopTable[],
  { roles = [] }: BackstopOptions = {},
): NewMigration & { readonly up: readonly string[]; readonly down: readonly string[] } {
  refuseBadNames(tables, roles);
  const schemas = [...new Set(tables.map(({ schema }) => schema))];
  return {
    description: 'add soft delete backstop',
    up: [
      ...schemas.map((schema) => createFunction(functionIn(schema))),
      ...tables.flatMap((table) => createTriggers(table, roles)),
    ],
    down: [
      ...tables.flatMap((table) =>
        BACKSTOP_TRIGGERS.map((name) => `DROP TRIGGER IF EXISTS ${quoted(name)} ON ${qualified(table)};`),
      ),
      ...schemas.map((schema) => dropUnusedFunction(functionIn(schema))),
    ],
  };
}

/** The tables of `tables` that a file written by {@link backstopMigration} covers, and no later statement uncovers. */
export function coveredByMigrations(
  tables: readonly BackstopTable[],
  files: readonly Pick<MigrationFile, 'up'>[],
): BackstopTable[] {
  const texts = files.flatMap(({ up }) => up.map(({ text }) => text.trim()));
  return tables.filter((table) => {
    const created = texts.findLastIndex((text) => text.startsWith(createTrigger(table, 'DELETE')));
    const dropped = texts.findLastIndex((text) => text.includes(`ON ${qualified(table)}`) && isDrop(text));
    return created > dropped;
  });
}

function createTriggers(table: BackstopTable, roles: readonly string[]): string[] {
  const notSkipped = `current_setting('${BACKSTOP_SETTING}', true) IS DISTINCT FROM 'on'`;
  const call = `EXECUTE FUNCTION ${functionIn(table.schema)}(${roles.map(literal).join(', ')});`;
  return [
    `${createTrigger(table, 'DELETE')}\n  FOR EACH ROW WHEN (${notSkipped})\n  ${call}`,
    `${createTrigger(table, 'UPDATE')}\n  FOR EACH ROW WHEN (OLD.${quoted(table.deletedAt)} IS NOT NULL AND ${notSkipped})\n  ${call}`,
  ];
}

/**
 * BEFORE a DELETE, so that it is refused before its cascades have run. AFTER an UPDATE, since a trigger before it makes
 * PostgreSQL lock each row in a step of its own, also where the condition does not hold.
 */
function createTrigger(table: BackstopTable, event: 'DELETE' | 'UPDATE'): string {
  const [onDelete, onUpdate] = BACKSTOP_TRIGGERS;
  const [name, moment] = event === 'DELETE' ? [onDelete, 'BEFORE DELETE'] : [onUpdate, 'AFTER UPDATE'];
  return `CREATE TRIGGER ${quoted(name)} ${moment} ON ${qualified(table)}`;
}

const isDrop = (text: string): boolean =>
  /^DROP TRIGGER\b/i.test(text) && text.includes(BACKSTOP_TRIGGERS[0]);

const functionIn = (schema: string | undefined): string =>
  schema === undefined ? BACKSTOP_FUNCTION : `${quoted(schema)}.${BACKSTOP_FUNCTION}`;

const qualified = ({ schema, table }: BackstopTable): string =>
  schema === undefined ? quoted(table) : `${quoted(schema)}.${quoted(table)}`;

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

const LONGEST = 63;
/** Also what would end the text of a function from the inside. */
// oxlint-disable-next-line no-control-regex
const UNSAFE = /[\0\n\\]|\$(backstop|unused)\$/;

function refuseBadNames(tables: readonly BackstopTable[], roles: readonly string[]): void {
  if (tables.length === 0) throw new TypeError('A backstop needs at least one table. Name it.');
  const twice = tables.map(qualified).find((name, index, names) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new TypeError(`${twice} occurs twice. Name each table once.`);
  const names = [
    ...tables.flatMap(({ schema = 'public', table, deletedAt }) => [schema, table, deletedAt]),
    ...roles,
  ];
  for (const name of names) {
    if (name === '' || UNSAFE.test(name) || Buffer.byteLength(name) > LONGEST) {
      throw new TypeError(`${JSON.stringify(name)} is no name that PostgreSQL stores as it is. Correct it.`);
    }
  }
}
