import type { Command } from 'commander';
import { Backfills, type BackfillStatus } from '../kit/migrations/index.ts';
import { readModules } from './configuration.ts';
import { readTarget } from './target.ts';

interface BackfillOptions {
  readonly config?: string;
  readonly json?: boolean;
}

/** Adds `migrate backfill status | pause | resume`; `common` gives each the options that all commands have. */
export function addBackfill(migrate: Command, common: (command: Command) => Command): void {
  const backfill = migrate
    .command('backfill')
    .description('look after back-fills while another command runs them');
  common(backfill.command('status').description('every back-fill that was begun, with its counters')).action(
    status,
  );
  common(
    backfill.command('pause <file>').description('stop behind the batch that is going on, and stay stopped'),
  ).action((file: string, options: BackfillOptions) => set(file, options, 'pause'));
  common(backfill.command('resume <file>').description('let the next "up" go on with it')).action(
    (file: string, options: BackfillOptions) => set(file, options, 'resume'),
  );
}

async function status(options: BackfillOptions): Promise<void> {
  const { shown, backfills } = await open(options);
  const rows = await backfills.status();
  if (options.json) return say(JSON.stringify({ target: shown, backfills: rows }));
  say(`Database ${shown}`);
  if (rows.length === 0) say('No back-fill was begun.');
  for (const row of rows) say(lineOf(row));
}

async function set(file: string, options: BackfillOptions, verb: 'pause' | 'resume'): Promise<void> {
  const { shown, backfills } = await open(options);
  await backfills[verb](file);
  if (options.json) return say(JSON.stringify({ target: shown, file, state: `${verb}d` }));
  say(
    verb === 'pause'
      ? `Paused: the run stops behind its batch. "migrate backfill resume ${file}" takes it back.`
      : 'Resumed: "migrate up" goes on with it.',
  );
}

function lineOf(row: BackfillStatus): string {
  const { state, filename, statement, rowsRead, rowsWritten, batches, differences } = row;
  const rows = `${rowsRead} rows read, ${rowsWritten} written in ${batches} batches`;
  const found = Object.entries(differences ?? {})
    .filter(([, count]) => count > 0)
    .map(([side, count]) => `, ${count} ${side}`);
  return `${state.padEnd(10)} ${filename} statement ${statement}: ${rows}${found.join('')}`;
}

async function open({ config }: BackfillOptions): Promise<{ shown: string; backfills: Backfills }> {
  const { url, shown } = readTarget(process.env);
  const modules = await readModules(config);
  return { shown, backfills: new Backfills({ connection: url, modules }) };
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
