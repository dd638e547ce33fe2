import type { Command } from 'commander';
import { adoptDatabase, type Adopted } from '../kit/migrations/index.ts';
import { adoptionProgress } from './adoption-progress.ts';
import { showLocks, showPlan } from './adoption-view.ts';
import { readModules } from './configuration.ts';
import { EXIT_OF } from './exit-codes.ts';
import { type CommonOptions, locking, running, say } from './open.ts';
import { readScratch, untilStopped } from './scratch.ts';
import { readTarget } from './target.ts';
import { variablesOf } from './variables.ts';

interface AdoptArguments extends CommonOptions {
  readonly apply?: boolean;
  readonly contract?: boolean;
  readonly acceptNewer?: boolean;
  readonly ledger?: string;
  readonly module?: string;
}

/** Adds `migrate adopt`. */
export function addAdopt(migrate: Command): void {
  locking(
    running(
      migrate
        .command('adopt')
        .description(
          'take over a database that another program or another tool has made; without --apply only look',
        ),
    ),
  )
    .option('--apply', 'carry the plan out')
    .option('--contract', 'run contract steps too, which take away what the other program needs')
    .option('--ledger <table>', 'the ledger of another tool that tells the history, as schema.table')
    .option('--module <name>', 'whose numbers that ledger holds, where there are several modules')
    .option('--accept-newer', 'go on although the ledger lists files that nobody here knows')
    .action(adopt);
}

async function adopt(options: AdoptArguments): Promise<void> {
  const target = readTarget(process.env);
  const modules = await readModules(options.config);
  const scratch = readScratch(process.env);
  if (!options.json) say(`Database ${target.shown}`);
  const progress = adoptionProgress(process, options.json === true);
  let adopted: Adopted;
  try {
    adopted = await adoptDatabase({
      connection: target.url,
      modules,
      variables: variablesOf(process.env, options.allowRawValues),
      scratch,
      apply: options.apply === true,
      contract: options.contract === true,
      acceptNewer: options.acceptNewer === true,
      ledger: options.ledger,
      module: options.module,
      ...(options.lockTimeout !== undefined && { lockTimeoutMs: options.lockTimeout }),
      // A run that is carried out is not ended half-way; it would be resumed, but a step may take minutes.
      signal: options.apply ? undefined : untilStopped(scratch),
      onProgress: (event) => progress.tell(event),
    });
  } finally {
    progress.end();
  }
  report(adopted, options, target.shown);
}

function report({ plan, done }: Adopted, { json }: AdoptArguments, shown: string): void {
  if (plan.blockers.length > 0) process.exitCode = EXIT_OF['MIGRATION.ADOPTION'];
  if (json) return say(JSON.stringify({ target: shown, ...plan, done: done ?? null }));
  showPlan(plan, say);
  if (done) {
    say(`${done.steps} steps taken in ${(done.ms / 1000).toFixed(1)} s. The schema is what the files make.`);
    return showLocks(done.locks, say);
  }
  if (plan.blockers.length > 0)
    return say('Nothing can be done before that is settled; nothing was changed.');
  if (plan.steps.length > 0) say('Nothing was changed. Say --apply to carry it out.');
}
