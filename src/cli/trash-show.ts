import type { Command } from 'commander';
import type { BatchDescription, BatchStep, RestorePreview } from '../kit/deletion/index.ts';
import { common, type CommonOptions, say } from './open.ts';
import { withOrm } from './open-orm.ts';
import { shownInstant, table, visible } from './table.ts';
import { batchArgument } from './trash-arguments.ts';
import { previewLines } from './trash-preview.ts';

/** Adds `trash show`. */
export function addTrashShow(trash: Command): void {
  common(
    trash
      .command('show <batch>')
      .description('what fell in a batch and by which foreign keys, and what a restore would meet'),
  ).action(show);
}

async function show(text: string, options: CommonOptions): Promise<void> {
  const id = await batchArgument(text);
  await withOrm(options, async ({ target, em }) => {
    const { describeBatch, previewRestore } = await import('../kit/deletion/index.ts');
    const batch = await describeBatch(em, id);
    const preview = batch.restoredAt === null ? await previewRestore(em, id) : null;
    if (options.json) return say(JSON.stringify({ target, batch, preview }));
    say(`Database ${target}`);
    return sayBatch(batch, preview);
  });
}

function sayBatch(batch: BatchDescription, preview: RestorePreview | null): void {
  const { deletedAt, actor, reason, tenant, restoredAt, restoredBy, restoreReason } = batch;
  say(`Batch ${batch.batch}: ${batch.state}`);
  say(`  deleted  ${shownInstant(deletedAt)}${who(actor, reason)}`);
  if (tenant !== null) say(`  tenant   ${visible(tenant)}`);
  if (restoredAt !== null) say(`  restored ${shownInstant(restoredAt)}${who(restoredBy, restoreReason)}`);
  say(table(['level', 'what', 'table', 'entity', 'by', 'rows'], batch.steps.map(stepCells)));
  for (const line of preview ? previewLines(preview) : []) say(line);
}

const who = (actor: string | null, reason: string | null): string =>
  [actor && ` by ${visible(actor)}`, reason && `: ${visible(reason)}`].filter(Boolean).join('');

function stepCells({ level, kind, table: name, entity, constraint, rows }: BatchStep): string[] {
  return [
    level === null ? '' : String(level),
    kind,
    name,
    entity ?? '',
    constraint ?? 'itself',
    String(rows),
  ];
}
