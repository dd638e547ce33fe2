import { type Command, Option } from 'commander';
import type { BatchFilter, BatchPage, BatchSummary, UnjournaledRows } from '../kit/deletion/index.ts';
import type { DataEntityManager } from '../kit/orm/index.ts';
import { common, type CommonOptions, say } from './open.ts';
import { withOrm } from './open-orm.ts';
import { shownInstant, table, visible } from './table.ts';
import { batchArgument, keyOf, limit, since } from './trash-arguments.ts';
import { entityNamed, trashEntities } from './trash-entity.ts';

interface ListOptions extends CommonOptions {
  readonly entity?: string;
  readonly actor?: string;
  readonly since?: Date;
  readonly limit?: number;
  readonly after?: string;
  readonly rows?: string;
}

/** Adds `trash list`. */
export function addTrashList(trash: Command): void {
  common(trash.command('list').description('batches, newest first; and how many rows of others are deleted'))
    .option('--entity <name>', 'batches in which rows of this entity fell')
    .option('--actor <who>', 'batches of this actor')
    .option(
      '--since <time>',
      'deleted then or later: 2026-11-27 (at 0:00 UTC) or 2026-11-27T09:30:00+01:00',
      since,
    )
    .option('--limit <number>', 'at most this many; 20 when left out', limit)
    .option('--after <id>', 'the page behind this batch; with --rows, behind the row with this key')
    .addOption(
      new Option(
        '--rows <entity>',
        'instead: the deleted rows of an entity, by key and time alone',
      ).conflicts(['entity', 'actor', 'since']),
    )
    .action((options: ListOptions) => (options.rows === undefined ? list(options) : rows(options)));
}

async function list(options: ListOptions): Promise<void> {
  const after = options.after === undefined ? undefined : await batchArgument(options.after);
  await withOrm(options, async ({ target, em }) => {
    const { actor, since: from } = options;
    const { entity, batches, unjournaled } = await scopeOf(em, options);
    const filter: BatchFilter = {
      ...(entity && { entity }),
      ...(actor !== undefined && { actor }),
      ...(from && { since: from }),
      ...(after && { after }),
      ...(options.limit && { limit: options.limit }),
    };
    const { listBatches } = await import('../kit/deletion/index.ts');
    const page = batches ? await listBatches(em, filter) : undefined;
    if (options.json) {
      const found = { batches: page?.batches ?? [], next: page?.next ?? null, unjournaled };
      return say(JSON.stringify({ target, ...found }));
    }
    say(`Database ${target}`);
    if (page) sayBatches(page);
    if (page && unjournaled.length > 0) say('');
    sayUnjournaled(unjournaled);
    if (!page && unjournaled.length === 0) say('No entity is soft-deletable, so there is no trash.');
  });
}

/** What is asked for: batches, and the rows without a journal, which are no part of a later page or of a filter of batches. */
async function scopeOf(
  em: DataEntityManager,
  { entity: name, actor, since: from, after }: ListOptions,
): Promise<{
  entity?: BatchFilter['entity'];
  batches: boolean;
  unjournaled: readonly UnjournaledRows[];
}> {
  const { countUnjournaled } = await import('../kit/deletion/index.ts');
  if (name !== undefined) {
    const { entity, journaled } = await entityNamed(em, name);
    if (journaled) return { entity, batches: true, unjournaled: [] };
    const counted = await countUnjournaled(em);
    return { batches: false, unjournaled: counted.filter((one) => one.entity === name) };
  }
  const batches = (await trashEntities(em)).some(({ journaled }) => journaled);
  const isAll = actor === undefined && from === undefined && after === undefined;
  return { batches, unjournaled: isAll ? await countUnjournaled(em) : [] };
}

function sayBatches({ batches, next }: BatchPage): void {
  if (batches.length === 0) return say('No batch is in the journal that this asks for.');
  say(
    table(
      ['batch', 'deleted', 'actor', 'reason', 'entity', 'rows', 'state'],
      batches.map((one) => [
        one.batch,
        shownInstant(one.deletedAt),
        one.actor ?? '',
        one.reason ?? '',
        entitiesOf(one),
        String(rowsOf(one)),
        stateOf(one),
      ]),
    ),
  );
  if (next !== undefined) say(`There are more: --after ${next}`);
  return undefined;
}

/** What was deleted itself; all that fell with it is in the count of rows. */
function entitiesOf({ fell }: BatchSummary): string {
  const roots = fell.filter(({ roots: own }) => own > 0);
  return roots.map(({ entity, table: name }) => entity ?? name).join(', ');
}

const rowsOf = ({ fell }: BatchSummary): number => fell.reduce((sum, { rows: own }) => sum + own, 0);

function stateOf(batch: BatchSummary): string {
  if (batch.state !== 'changed') return batch.state;
  const left = batch.fell.reduce((sum, one) => sum + one.left, 0);
  return `changed: ${left} of ${rowsOf(batch)} left`;
}

function sayUnjournaled(counts: readonly UnjournaledRows[]): void {
  if (counts.length === 0) return;
  say(
    table(
      ['entity without a journal', 'deleted rows', 'oldest', 'newest'],
      counts.map(({ entity, rows: count, oldest, newest }) => [
        entity,
        String(count),
        oldest === null ? '' : shownInstant(oldest),
        newest === null ? '' : shownInstant(newest),
      ]),
    ),
  );
}

async function rows(options: ListOptions): Promise<void> {
  await withOrm(options, async ({ target, em }) => {
    const { entity, name } = await entityNamed(em, options.rows ?? '');
    const { listDeleted } = await import('../kit/deletion/index.ts');
    const { after, limit: most } = options;
    const found = await keyOf(name, () =>
      listDeleted(em, entity, { ...(after !== undefined && { after }), ...(most && { limit: most }) }),
    );
    if (options.json)
      return say(JSON.stringify({ target, entity: name, ...found, next: found.next ?? null }));
    say(`Database ${target}`);
    if (found.rows.length === 0) say(`No row of ${name} is deleted.`);
    else {
      say(
        table(
          ['key', 'deleted'],
          found.rows.map(({ key, deletedAt }) => [key, shownInstant(deletedAt)]),
        ),
      );
    }
    if (found.next !== undefined) say(`There are more: --after ${quoted(found.next)}`);
  });
}

/** As a shell takes it. */
const quoted = (text: string): string => `'${visible(text).replaceAll("'", `'\\''`)}'`;
