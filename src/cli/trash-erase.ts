import type { Command } from 'commander';
import type { ErasureOptions, ErasureProof } from '../kit/deletion/index.ts';
import { UsageError } from './exit-codes.ts';
import { common, type CommonOptions, say } from './open.ts';
import { type OpenedOrm, withOrm } from './open-orm.ts';
import { visible } from './table.ts';
import { keyFor } from './trash-arguments.ts';
import { entityNamed } from './trash-entity.ts';

interface EraseArguments extends CommonOptions {
  readonly reason: string;
  readonly actor?: string;
  readonly null: readonly string[];
  readonly set: readonly string[];
  readonly dryRun: boolean;
  readonly yes: boolean;
}

const several = (text: string, all: string[]): string[] => [...all, text];

/** Adds `trash erase`. */
export function addTrashErase(trash: Command): void {
  common(
    trash
      .command('erase <entity> <key>')
      .description('remove a row for good, dead or live, or scrub it, and print the proof; docs/erasure.md'),
  )
    .requiredOption('--reason <text>', 'why, for the proof; no personal data')
    .option('--actor <who>', 'who erases, for the proof')
    .option(
      '--null <property>',
      'scrub: the row stays, and this is set to null; may be repeated',
      several,
      [],
    )
    .option('--set <property=value>', 'scrub: this is overwritten with a text; may be repeated', several, [])
    .option('--dry-run', 'print what would go, and take it back', false)
    .option('--yes', 'erase; without it nothing is erased', false)
    .action(run);
}

async function run(entity: string, key: string, options: EraseArguments): Promise<void> {
  if (options.dryRun === options.yes) throw notConfirmed();
  const mode = modeOf(options);
  await withOrm(options, (opened) => eraseRow(opened, { entity, key }, mode, options));
}

const notConfirmed = (): UsageError =>
  new UsageError(
    'What is erased comes back from a backup only. Add --dry-run to see what would go, or --yes to erase it.',
  );

type Mode = ErasureOptions<never>['mode'];

function modeOf({ null: empty, set }: EraseArguments): Mode {
  if (empty.length === 0 && set.length === 0) return 'remove';
  const values = set.map((text) => {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (name === undefined) throw new UsageError('--set takes a property and a value: name=erased.');
    return [name, value];
  });
  return { scrub: Object.fromEntries([...empty.map((name) => [name, null]), ...values]) as never };
}

async function eraseRow(
  { target, em }: OpenedOrm,
  row: { readonly entity: string; readonly key: string },
  mode: Mode,
  { actor, reason, dryRun, json }: EraseArguments,
): Promise<void> {
  const { erase, previewErasure, withDeletionContext } = await import('../kit/deletion/index.ts');
  const { entity } = await entityNamed(em, row.entity);
  const key = keyFor(em, entity, row.key);
  const work = dryRun ? previewErasure : erase;
  const proof = await withDeletionContext({ ...(actor !== undefined && { actor }) }, () =>
    work(em, entity, key as never, { mode, reason }),
  );
  if (json) return say(JSON.stringify(dryRun ? { target, preview: proof } : { target, proof }));
  for (const line of linesOf(proof)) say(line);
  return say(dryRun ? 'Nothing was erased.' : `Erased at ${proof.erasedAt}; proof ${proof.id}.`);
}

function linesOf(proof: ErasureProof): string[] {
  const { entity, key, mode, removed, unlinked, scrubbed, journal } = proof;
  const images = journal.reduce((sum, one) => sum + one.images, 0);
  return [
    `${mode === 'remove' ? 'Remove' : 'Scrub'} ${entity} ${visible(key)}`,
    ...removed.map(({ table, rows }) => `  removed   ${rows} of ${table}`),
    ...unlinked.map(({ table, rows, constraint }) => `  unlinked  ${rows} of ${table} by ${constraint}`),
    ...(scrubbed.length > 0 ? [`  scrubbed  ${scrubbed.join(', ')}`] : []),
    `  journal   ${images} images in ${new Set(journal.map(({ batch }) => batch)).size} batches`,
  ];
}
