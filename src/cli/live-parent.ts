import type { Command } from 'commander';
import {
  createMigration,
  findOrphans,
  LiveParentError,
  type LiveParentPlan,
  type LiveParentRequest,
  type MigrationSource,
  type Orphans,
  planLiveParent,
  planLiveParentValidation,
} from '../kit/migrations/index.ts';
import { modulesIn, readConfiguration } from './configuration.ts';
import { EXIT, UsageError } from './exit-codes.ts';
import { common, type CommonOptions, open, say } from './open.ts';
import { readTarget } from './target.ts';

interface AddOptions extends CommonOptions {
  readonly online?: boolean;
  readonly adopt?: boolean;
}

type Plan = (request: LiveParentRequest) => Promise<LiveParentPlan>;

/** Adds `live-parent`, whose commands read a database and write files. */
export function addLiveParent(program: Command): void {
  const group = program
    .command('live-parent')
    .description('make the database itself keep "a live child has a live parent"');
  withRelation(group.command('add'), 'write the migrations that guard a relation')
    .option('--online', 'several files that stop nobody for long, for large tables')
    .option('--adopt', 'guard new writes and leave the rows that stand against it for "validate"')
    .action((module: string, relation: string, options: AddOptions) =>
      write({ module, relation, options, plan: planLiveParent }),
    );
  withRelation(
    group.command('validate'),
    'write the migration that checks the rows of an adopted relation',
  ).action((module: string, relation: string, options: AddOptions) =>
    write({ module, relation, options, plan: planLiveParentValidation }),
  );
  common(
    group
      .command('check')
      .description('name the live rows whose parent is deleted, of every guarded relation'),
  )
    .addHelpText('after', '\nExit codes: 0 there is none, 1 there are some, or failed; 2 wrong usage.')
    .action(check);
}

function withRelation(command: Command, description: string): Command {
  return common(
    command
      .description(description)
      .argument('<module>', 'the module whose next migrations they become')
      .argument('<relation>', 'Entity.property, or the name of the foreign key'),
  );
}

interface Task {
  readonly module: string;
  readonly relation: string;
  readonly options: AddOptions;
  readonly plan: Plan;
}

async function write({ module, relation, options, plan }: Task): Promise<void> {
  const { url } = readTarget(process.env);
  const configuration = await readConfiguration(options.config);
  const source = sourceOf(modulesIn(configuration), module);
  await refusePending(options);
  // Loaded here, because few commands need the ORM.
  const { liveParentModel } = await import('../kit/config/index.ts');
  const model = await liveParentModel(configuration.config as object);
  const { online, adopt } = options;
  const { migrations, orphans } = await plan({ connection: url, relation, model, online, adopt }).catch(
    asUsage,
  );
  if (orphans.rows > 0 && adopt !== true) throw orphansRefused(orphans);
  const paths: string[] = [];
  for (const migration of migrations) paths.push(await createMigration(source, migration));
  if (options.json) return say(JSON.stringify({ paths, module, relation, orphans }));
  for (const path of paths) say(`Wrote ${path}`);
  if (orphans.rows > 0)
    say(
      `${lineOf(orphans)}\nWrite their validation with "tombstone live-parent validate" when there is none left.`,
    );
  say('Apply them with "tombstone migrate up".');
}

function sourceOf(modules: readonly MigrationSource[], module: string): MigrationSource {
  const source = modules.find(({ name }) => name === module);
  if (source) return source;
  throw new UsageError(
    `There is no module ${module}. Name one of: ${modules.map(({ name }) => name).join(', ')}.`,
  );
}

/** What pending files change is not in the database yet, and would be written a second time. */
async function refusePending(options: AddOptions): Promise<void> {
  const { migrator } = await open(options);
  const pending = (await migrator.status()).filter(
    ({ state }) => state === 'pending' || state === 'unfinished',
  );
  if (pending.length === 0) return;
  throw new UsageError(
    `${pending.length} migrations are not applied here, the first of them ${pending[0]?.name}. Run "tombstone migrate up" first: the files are written from what the database has.`,
  );
}

function orphansRefused(orphans: Orphans): UsageError {
  return new UsageError(
    `${lineOf(orphans)} Delete or move them first, or write the guard with --adopt, which leaves them for later.`,
    { document: { orphans } },
  );
}

function asUsage(error: unknown): never {
  if (error instanceof LiveParentError)
    throw new UsageError(error.message, { cause: error, document: { reason: error.code } });
  throw error;
}

async function check({ json, config }: CommonOptions): Promise<void> {
  const { url, shown } = readTarget(process.env);
  await readConfiguration(config);
  const relations = await findOrphans(url);
  const orphans = relations.filter(({ rows }) => rows > 0);
  if (json) say(JSON.stringify({ target: shown, relations }));
  else {
    say(`Database ${shown}`);
    for (const each of orphans) say(lineOf(each));
    const unproved = relations.filter(({ isValidated }) => !isValidated).length;
    say(
      `${relations.length} relations are guarded, ${unproved} of them not validated, ${orphans.length} with orphans.`,
    );
  }
  process.exitCode = orphans.length > 0 ? EXIT.failed : EXIT.done;
}

function lineOf({ constraint, table, parent, rows, keys }: Orphans): string {
  const named = keys.map((key) => JSON.stringify(key)).join(', ');
  return `${constraint}: ${rows} live rows of ${table} have a deleted parent in ${parent}: ${named}${rows > keys.length ? ', …' : ''}.`;
}
