import { type Command, Option } from 'commander';
import type { Hold } from '../kit/deletion/index.ts';
import { UsageError } from './exit-codes.ts';
import { common, type CommonOptions, say } from './open.ts';
import { withOrm } from './open-orm.ts';
import { shownInstant, table, visible } from './table.ts';
import { keyFor, keyOf } from './trash-arguments.ts';
import { tableNamed } from './trash-entity.ts';

interface HoldArguments extends CommonOptions {
  readonly entity: string;
  readonly key?: string;
  readonly all?: true;
  readonly reason: string;
  readonly actor?: string;
}

/** Adds `trash hold`. */
export function addTrashHold(trash: Command): void {
  common(
    trash
      .command('hold')
      .description('keep a row, or all rows of a table, from being removed for good; docs/retention.md'),
  )
    .requiredOption('--entity <name>', 'whose row it is')
    .option('--key <key>', 'of the row, dead or live; several values are a JSON array')
    .addOption(new Option('--all', 'all rows of the table').conflicts('key'))
    .requiredOption('--reason <text>', 'the matter that it is for; no personal data')
    .option('--actor <who>', 'who holds')
    .action(hold);
}

async function hold(options: HoldArguments): Promise<void> {
  const { entity: name, key, actor, reason, json } = options;
  if (key === undefined && !options.all) throw new UsageError('Name a row with --key, or --all rows.');
  await withOrm(options, async ({ target, em }) => {
    const { placeHold, withDeletionContext } = await import('../kit/deletion/index.ts');
    const entity = tableNamed(em, name);
    const request =
      key === undefined ? { all: true as const, reason } : { key: keyFor(em, entity, key) as never, reason };
    const placed = await withDeletionContext({ ...(actor !== undefined && { actor }) }, () =>
      keyOf(name, () => placeHold(em, entity, request)),
    );
    if (json) return say(JSON.stringify({ target, hold: placed }));
    return say(`Held ${whatOf(placed)}: hold ${placed.id}.`);
  });
}

interface ReleaseArguments extends CommonOptions {
  readonly reason?: string;
  readonly actor?: string;
}

/** Adds `trash release`. */
export function addTrashRelease(trash: Command): void {
  common(trash.command('release <hold>').description('end a hold, and keep that it was there'))
    .option('--reason <text>', 'why; no personal data')
    .option('--actor <who>', 'who releases')
    .action(release);
}

async function release(id: string, options: ReleaseArguments): Promise<void> {
  const { reason, actor, json } = options;
  await withOrm(options, async ({ target, em }) => {
    const { releaseHold, withDeletionContext } = await import('../kit/deletion/index.ts');
    const facts = { ...(actor !== undefined && { actor }), ...(reason !== undefined && { reason }) };
    const released = await withDeletionContext(facts, () => releaseHold(em, id));
    if (json) return say(JSON.stringify({ target, hold: released }));
    return say(`Released ${whatOf(released)}: hold ${released.id}. Other holds of it stay.`);
  });
}

interface HoldsArguments extends CommonOptions {
  readonly entity?: string;
  readonly key?: string;
  readonly released: boolean;
}

/** Adds `trash holds`. */
export function addTrashHolds(trash: Command): void {
  common(trash.command('holds').description('what is held, since when, by whom and why'))
    .option('--entity <name>', 'holds of this entity alone')
    .option('--key <key>', 'with --entity: holds of this row alone')
    .option('--released', 'those that were released too', false)
    .action(holds);
}

async function holds(options: HoldsArguments): Promise<void> {
  const { entity: name, key, released, json } = options;
  if (name === undefined && key !== undefined)
    throw new UsageError('--key is that of an entity. Add --entity NAME.');
  await withOrm(options, async ({ target, em }) => {
    const { holdsOf } = await import('../kit/deletion/index.ts');
    const entity = name === undefined ? undefined : tableNamed(em, name);
    const own = entity && key !== undefined ? { key: keyFor(em, entity, key) as never } : {};
    const found = await keyOf(name ?? '', () => holdsOf(em, entity, { released, ...own }));
    if (json) return say(JSON.stringify({ target, holds: found }));
    say(`Database ${target}`);
    return sayHolds(found, released);
  });
}

function sayHolds(found: readonly Hold[], released: boolean): void {
  if (found.length === 0) return say('Nothing is held that this asks for.');
  const head = ['hold', 'table', 'key', 'placed', 'actor', 'reason'];
  const more = ['released', 'by', 'because'];
  const rows = found.map((one) => [
    one.id,
    one.table,
    one.key ?? '(all)',
    instant(one.placedAt),
    one.actor ?? '',
    one.reason,
    ...(released ? [instant(one.releasedAt), one.releasedBy ?? '', one.releaseReason ?? ''] : []),
  ]);
  return say(table(released ? [...head, ...more] : head, rows));
}

const instant = (time: Date | null): string => (time ? shownInstant(time.toISOString()) : '');

const whatOf = ({ table: name, key }: Hold): string =>
  key === null ? `all rows of ${name}` : `${name} ${visible(key)}`;
