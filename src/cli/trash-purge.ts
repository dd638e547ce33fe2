import type { Command } from 'commander';
import type { PurgeOptions, PurgeReport } from '../kit/deletion/index.ts';
import type { DataEntityManager } from '../kit/orm/index.ts';
import { INTERRUPTED } from './deletion-exits.ts';
import { UsageError } from './exit-codes.ts';
import { common, type CommonOptions, say } from './open.ts';
import { type OpenedOrm, withOrm } from './open-orm.ts';
import { purgeBar, type PurgeView } from './purge-progress.ts';
import { table } from './table.ts';
import { entityNamed } from './trash-entity.ts';

interface PurgeArguments extends CommonOptions {
  readonly entity?: string;
  readonly tenant?: string;
  readonly olderThan?: string;
  readonly batchSize?: string;
  readonly dryRun: boolean;
  readonly yes: boolean;
}

/** Adds `trash purge`. */
export function addTrashPurge(trash: Command): void {
  common(
    trash
      .command('purge')
      .description('remove for good what has been dead for longer than its policy says; docs/retention.md'),
  )
    .option('--entity <names>', 'these alone, as A,B; every entity with a policy when left out')
    .option('--tenant <value>', 'rows of this tenant alone')
    .option('--older-than <interval>', "in the place of the intervals of the policies, as '30 days'")
    .option('--batch-size <rows>', 'rows that a transaction looks at; 1000 when left out')
    .option('--dry-run', 'print what would go and what stays, and remove nothing', false)
    .option('--yes', 'purge; without it nothing is removed', false)
    .action(run);
}

async function run(options: PurgeArguments): Promise<void> {
  if (options.dryRun === options.yes) throw notConfirmed();
  await withOrm(options, async (opened) => purgeRows(opened, options));
}

const notConfirmed = (): UsageError =>
  new UsageError(
    'What is purged comes back from a backup only. Add --dry-run to see what would go, or --yes to purge.',
  );

async function purgeRows({ target, em }: OpenedOrm, options: PurgeArguments): Promise<void> {
  const { purge } = await import('../kit/deletion/index.ts');
  const asked = await askedOf(em, options);
  const isShown = process.stdout.isTTY && !options.json && !options.dryRun;
  const view = isShown ? purgeBar(process.stdout, await dueRows(em, asked)) : undefined;
  const report = await untilInterrupted(view, (signal) =>
    purge(em, { ...asked, signal, onProgress: (progress) => view?.tell(progress) }),
  );
  if (options.json) return say(JSON.stringify({ target, report }));
  say(`Database ${target}`);
  return sayReport(report);
}

async function askedOf(
  em: DataEntityManager,
  { entity, tenant, olderThan, batchSize, dryRun }: PurgeArguments,
): Promise<PurgeOptions> {
  const names = entity?.split(',').map((name) => name.trim());
  const entities = names && (await Promise.all(names.map((name) => entityNamed(em, name))));
  return {
    dryRun,
    ...(entities && { entities: entities.map((one) => one.entity) }),
    ...(tenant !== undefined && { tenant }),
    ...(olderThan !== undefined && { olderThan }),
    // What is no whole number is refused by the kit, as a number that is out of range.
    ...(batchSize !== undefined && { batchSize: /^\d+$/.test(batchSize) ? Number(batchSize) : Number.NaN }),
  };
}

/** Asked beforehand where there is a bar to fill. */
async function dueRows(em: DataEntityManager, asked: PurgeOptions): Promise<number> {
  const { purge } = await import('../kit/deletion/index.ts');
  const { purged } = await purge(em, { ...asked, dryRun: true });
  return Object.values(purged).reduce((sum, rows) => sum + rows, 0);
}

const SIGNALS = Object.keys(INTERRUPTED) as (keyof typeof INTERRUPTED)[];

/** A signal lets the batch that runs end; a second one ends the program, whose batch the database then takes back. */
async function untilInterrupted(
  view: PurgeView | undefined,
  work: (signal: AbortSignal) => Promise<PurgeReport>,
): Promise<PurgeReport> {
  const ending = new AbortController();
  let by: keyof typeof INTERRUPTED = 'SIGINT';
  const stop = (signal: NodeJS.Signals): void => {
    by = signal as typeof by;
    // Whatever the first one was, a second one ends the program.
    for (const name of SIGNALS) process.removeListener(name, stop);
    ending.abort();
    process.stderr.write('Interrupted: stops behind the batch that runs.\n');
  };
  for (const name of SIGNALS) process.on(name, stop);
  try {
    const report = await work(ending.signal);
    if (!report.completed) process.exitCode = INTERRUPTED[by];
    return report;
  } finally {
    for (const name of SIGNALS) process.removeListener(name, stop);
    view?.end();
  }
}

function sayReport(report: PurgeReport): void {
  const { dryRun, completed, batches, prunedBatches } = report;
  const rows = rowsOf(report);
  if (rows.length > 0) say(table(['what', 'table', 'rows', 'by', 'keys'], rows));
  if (dryRun) return say('Nothing was removed.');
  if (prunedBatches > 0) say(`Of ${prunedBatches} batches the journal keeps who, when and why alone.`);
  say(`Purged in ${batches} batches.`);
  if (!completed) say('Interrupted; the next purge goes on.');
}

function rowsOf({ dryRun, purged, links, held, blocked }: PurgeReport): string[][] {
  const gone = dryRun ? 'would go' : 'purged';
  return [
    ...Object.entries(purged).map(([name, rows]) => [gone, name, String(rows), '', '']),
    ...Object.entries(links).map(([constraint, rows]) => [gone, '(links)', String(rows), constraint, '']),
    ...held.map(({ table: name, rows, keys }) => ['held', name, String(rows), '', shown(keys, rows)]),
    ...blocked.map((one) => [
      'blocked',
      one.of,
      String(one.rows),
      `${one.constraint} of ${one.table}`,
      shown(one.keys, one.rows),
    ]),
  ];
}

const shown = (keys: readonly string[], rows: number): string =>
  keys.join(', ') + (rows > keys.length ? ', …' : '');
