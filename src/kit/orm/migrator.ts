import { basename } from 'node:path';
import { type Dictionary, Utils } from '@mikro-orm/core';
import type {
  EntityManager,
  IMigrator,
  IMigratorStorage,
  MigrateOptions,
  MigrationInfo,
  MigrationResult,
  MigrationRow,
  MigratorEvent,
  MikroORM,
} from '@mikro-orm/core';
import {
  createMigration,
  MigrationError,
  type MigrationEvent,
  type MigrationSource,
  type MigrationStep,
  Migrator as Engine,
  type MigratorOptions as EngineOptions,
  parseMigration,
} from '../migrations/index.ts';

type Listener = Parameters<IMigrator['on']>[1];

/** What the ORM's schema generator says about the difference between entities and database. */
interface SchemaDiff {
  getUpdateSchemaMigrationSQL(): Promise<{ up: string; down: string }>;
}

const EVENTS: Readonly<Record<string, Readonly<Record<'up' | 'down', MigratorEvent>>>> = {
  start: { up: 'migrating', down: 'reverting' },
  applied: { up: 'migrated', down: 'migrated' },
  reverted: { up: 'reverted', down: 'reverted' },
};

/**
 * The migration engine behind MikroORM's own interface, so that `mikro-orm migration:*` and `orm.migrator` run the SQL
 * files.
 *
 * The class is named as the stock one is: `MikroORM.init` looks for that name and otherwise registers the stock migrator
 * over this one.
 */
export class Migrator implements IMigrator {
  readonly #em: EntityManager;
  readonly #listeners = new Map<MigratorEvent, Set<Listener>>();

  constructor(em: EntityManager) {
    this.#em = em;
  }

  static register(orm: MikroORM): void {
    orm.config.registerExtension('@mikro-orm/migrator', () => new Migrator(orm.em));
  }

  async up(options?: string | string[] | MigrateOptions): Promise<MigrationInfo[]> {
    const { to, migrations } = targetOf(options);
    const { steps } = await this.#engine('up').up({
      to: to === undefined ? undefined : String(to),
      only: migrations,
    });
    return steps.map(infoOf);
  }

  async down(options?: string | string[] | MigrateOptions): Promise<MigrationInfo[]> {
    const { to, migrations } = targetOf(options);
    if (migrations) throw unsupported('down --only', 'Files are reverted from the newest on: use --to.');
    const { steps } = await this.#engine('down').down(
      to === undefined ? {} : { to: to === 0 ? 0 : String(to) },
    );
    return steps.map(infoOf);
  }

  async getExecuted(): Promise<MigrationRow[]> {
    const status = await this.#engine('up').status();
    const applied = status.filter((row) => row.appliedAt && row.state !== 'foreign');
    return applied.map(({ name, appliedAt }, index) => ({
      id: index + 1,
      name,
      executed_at: appliedAt ?? new Date(0),
    }));
  }

  async getPending(): Promise<MigrationInfo[]> {
    const status = await this.#engine('up').status();
    return status.filter((row) => !row.appliedAt).map(({ name }) => ({ name }));
  }

  /** True when files are pending, or when the entities and the database differ; an edited or missing file throws. */
  async checkSchema(): Promise<boolean> {
    await this.#engine('up').verify();
    return (await this.getPending()).length > 0 || (await this.#difference()).up.length > 0;
  }

  /** Writes the difference between entities and database, or an empty frame, as the next SQL file of a module. */
  async create(path?: string, blank = false, initial = false, name?: string): Promise<MigrationResult> {
    if (initial)
      throw unsupported(
        'create --initial',
        'Create an ordinary migration; on an empty database it is the first.',
      );
    const diff = blank ? { up: ['select 1'], down: [] } : await this.#difference();
    if (diff.up.length === 0) return { fileName: '', code: '', diff };
    const description = name ?? (blank ? 'new_migration' : 'update_schema');
    const down = blank || diff.down.length > 0 ? { down: diff.down } : {};
    const file = await createMigration(this.#moduleFor(path), { description, up: diff.up, ...down });
    return { fileName: basename(file), code: '', diff };
  }

  async createInitial(): Promise<MigrationResult> {
    return this.create(undefined, false, true);
  }

  async rollup(): Promise<MigrationResult> {
    throw unsupported('rollup', 'Applied files stay as they are, because their checksums are in the ledger.');
  }

  async logMigration(name: string): Promise<void> {
    await this.#engine('up').log(name);
  }

  async unlogMigration(name: string): Promise<void> {
    await this.#engine('up').unlog(name);
  }

  on(event: MigratorEvent, listener: Listener): this {
    this.#listeners.set(event, (this.#listeners.get(event) ?? new Set()).add(listener));
    return this;
  }

  off(event: MigratorEvent, listener: Listener): this {
    this.#listeners.get(event)?.delete(listener);
    return this;
  }

  getStorage(): IMigratorStorage {
    throw unsupported(
      'getStorage',
      'The ledger belongs to the engine: use getExecuted, logMigration or unlogMigration.',
    );
  }

  #engine(direction: 'up' | 'down'): Engine {
    return new Engine({
      connection: connectionOf(this.#em),
      modules: this.#modules(),
      onProgress: (event) => this.#tell(event, direction),
    });
  }

  #tell(event: MigrationEvent, direction: 'up' | 'down'): void {
    const name = EVENTS[event.type]?.[direction];
    if (!name || !('name' in event)) return;
    for (const listener of this.#listeners.get(name) ?? []) void listener({ name: event.name });
  }

  #modules(): MigrationSource[] {
    const { modules } = this.#em.config.get('migrations') as { modules?: MigrationSource[] };
    if (modules && modules.length > 0) return modules;
    throw unsupported(
      'migrations without modules',
      'Make the configuration with defineDataConfig({ modules: [...] }).',
    );
  }

  #moduleFor(path?: string): MigrationSource {
    const modules = this.#modules();
    const chosen = path === undefined ? modules : modules.filter(({ name }) => name === basename(path));
    if (chosen.length === 1 && chosen[0]) return chosen[0];
    const names = modules.map(({ name }) => name).join(', ');
    throw new MigrationError(
      'MIGRATION.NO_SUCH_FILE',
      `Say for which module the migration is: --path ${modules[0]?.name ?? 'NAME'}. Modules are: ${names}.`,
    );
  }

  async #difference(): Promise<{ up: string[]; down: string[] }> {
    const schema = this.#em.config.getExtension<SchemaDiff>('@mikro-orm/schema-generator');
    const { up, down } = (await schema?.getUpdateSchemaMigrationSQL()) ?? { up: '', down: '' };
    return { up: statementsOf(up), down: statementsOf(down) };
  }
}

function targetOf(options?: string | string[] | MigrateOptions): {
  to?: string | number;
  migrations?: string[];
} {
  if (typeof options === 'string') return { migrations: [options] };
  if (Array.isArray(options)) return { migrations: options };
  if (options?.transaction)
    throw unsupported('a transaction of the caller', 'Each file has a transaction of its own.');
  if (options?.schema !== undefined)
    throw unsupported('--schema', 'Name the schema in the statements of the files.');
  if (options?.from !== undefined) throw unsupported('--from', 'Runs start at the first pending file.');
  return {
    to: options?.to,
    migrations: options?.migrations,
  };
}

function infoOf({ name, path }: MigrationStep): MigrationInfo {
  return { name, path };
}

/** The statements of the schema generator, without those that set up its session. */
function statementsOf(sql: string): string[] {
  return parseMigration('schema difference', sql)
    .up.map(({ text }) => text)
    .filter((text) => !/^set\s/i.test(text));
}

/**
 * Where the ORM itself connects. The engine opens a connection of its own: the lock, the statements and the ledger must share
 * one.
 */
function connectionOf(em: EntityManager): EngineOptions['connection'] {
  const connection = em.getDriver().getConnection('write');
  const own = connection.getConnectionOptions() as ConnectionFields;
  const url = em.config.get('clientUrl');
  // Only the URL holds what the ORM does not read of it, such as sslmode; but options beside it win over its parts.
  const target = url && isWholly(new URL(url), own) ? { connectionString: url } : own;
  return { ...driverOptionsOf(em), ...target };
}

type ConnectionFields = Extract<EngineOptions['connection'], object>;

function isWholly(url: URL, { host, port, user, password, database }: ConnectionFields): boolean {
  const parts = [url.hostname, url.username, url.password, url.pathname.slice(1)].map(decodeURIComponent);
  const fields = [host, user, password, database];
  return parts.every((part, index) => part === fields[index]) && Number(url.port) === Number(port);
}

/** Options for the driver, such as `ssl`; a ready-made client or dialect holds none that another connection could use. */
function driverOptionsOf(em: EntityManager): Dictionary {
  const given: unknown = em.config.get('driverOptions');
  const options: unknown = typeof given === 'function' ? given() : given;
  return Utils.isPlainObject<Dictionary>(options) ? options : {};
}

function unsupported(what: string, remedy: string): MigrationError {
  return new MigrationError('MIGRATION.UNSUPPORTED', `${what} is not supported. ${remedy}`);
}
