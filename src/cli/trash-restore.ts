import { type Command, Option } from 'commander';
import type { BatchId, ChangedPolicy, DeletionFacts } from '../kit/deletion/index.ts';
import type { DataEntityManager } from '../kit/orm/index.ts';
import { UsageError } from './exit-codes.ts';
import { common, type CommonOptions, say } from './open.ts';
import { type OpenedOrm, withOrm } from './open-orm.ts';
import { batchArgument, keyOf } from './trash-arguments.ts';
import { entityNamed, type TrashEntity } from './trash-entity.ts';
import { previewLines, shownCounts } from './trash-preview.ts';
import { restoreAlone } from './trash-restore-alone.ts';

interface RestoreArguments extends CommonOptions {
  readonly entity?: string;
  readonly key?: string;
  readonly changed: ChangedPolicy;
  readonly dryRun?: boolean;
  readonly actor?: string;
  readonly reason?: string;
}

/** Adds `trash restore`. */
export function addTrashRestore(trash: Command): void {
  common(trash.command('restore [batch]').description('bring back exactly what fell together, or nothing'))
    .option('--entity <name>', 'with --key, in the place of a batch: the row that it began with')
    .option('--key <key>', 'as "trash list --rows" prints it; several values are a JSON array')
    .addOption(
      new Option('--changed <what>', 'what to do when rows were purged, restored or deleted again since')
        .choices(['refuse', 'skip'])
        .default('refuse'),
    )
    .option('--dry-run', 'write nothing: print what it would do, and end as it would')
    .option('--actor <who>', 'who restores, for the journal')
    .option('--reason <text>', 'why, for the journal')
    .action(run);
}

async function run(batch: string | undefined, options: RestoreArguments): Promise<void> {
  const { entity, key } = options;
  if ((batch === undefined) === (entity === undefined) || (entity === undefined) !== (key === undefined))
    throw new UsageError('Name a batch, or a row with --entity NAME --key KEY; not both.');
  const id = batch === undefined ? undefined : await batchArgument(batch);
  await withOrm(options, async (opened) => {
    if (id !== undefined) return restoreBatch(opened, id, options);
    const named = await entityNamed(opened.em, entity ?? '');
    if (!named.journaled) return restoreAlone(opened, named, { ...options, key: key ?? '' });
    return restoreBatch(opened, await batchBegunBy(opened.em, named, key ?? ''), options);
  });
}

async function batchBegunBy(
  em: DataEntityManager,
  { entity, name }: TrashEntity,
  key: string,
): Promise<BatchId> {
  const { batchOfKey } = await import('../kit/deletion/index.ts');
  return keyOf(name, () => batchOfKey(em, entity, key));
}

async function restoreBatch(
  { target, em }: OpenedOrm,
  batch: BatchId,
  options: RestoreArguments,
): Promise<void> {
  if (options.dryRun) return tryRun({ target, em }, batch, options);
  const { restore, withDeletionContext } = await import('../kit/deletion/index.ts');
  const { changed } = options;
  const done = await withDeletionContext(factsOf(options), () => restore(em, batch, { changed }));
  if (options.json) return say(JSON.stringify({ target, restored: done }));
  return say(`Restored batch ${batch}: ${shownCounts(done.rows, done.relinked, done.reinserted)}.`);
}

const factsOf = ({ actor, reason }: RestoreArguments): DeletionFacts => ({
  ...(actor !== undefined && { actor }),
  ...(reason !== undefined && { reason }),
});

/** @throws RestoreError that the restore would end with. */
async function tryRun({ target, em }: OpenedOrm, batch: BatchId, options: RestoreArguments): Promise<void> {
  const { describeBatch, previewRestore, RestoreError, restoreRefusal } =
    await import('../kit/deletion/index.ts');
  if ((await describeBatch(em, batch)).restoredAt !== null) throw RestoreError.alreadyRestored(batch);
  const preview = await previewRestore(em, batch);
  if (!options.json) {
    say(`Batch ${batch}`);
    for (const line of previewLines(preview)) say(line);
  }
  const refusal = restoreRefusal(preview, options.changed);
  if (refusal) throw refusal;
  say(options.json ? JSON.stringify({ target, preview }) : 'Nothing was written.');
}
