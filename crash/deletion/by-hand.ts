import { randomUUID } from 'node:crypto';
import { type House, isErasure } from './operations.ts';
import { APART, rootOf } from './trees.ts';

/**
 * The same deletion and the same restore as statements that each stand alone: what the trials must find halves of, or they would
 * find none anywhere.
 */
export async function runByHand(house: House, tree: number, step: number): Promise<void> {
  if (isErasure(tree, step)) return house.run(tree, step);
  const statements = step % 2 === 0 ? await deletionOf(house, tree) : await restoreOf(house, tree);
  for (const statement of statements) await house.rows(statement);
}

async function deletionOf(house: House, tree: number): Promise<string[]> {
  const [clock] = await house.rows<{ at: string }>('select now()::text as at');
  const [batch, at, base] = [randomUUID(), `'${clock?.at}'::timestamptz`, tree * APART];
  const [label, producer] = [rootOf(tree), base + 10];
  const note = (kind: string, table: string, edge: string, rows: string): string =>
    `insert into deletion_entries (batch_id, step, part, kind, table_name, edge, keys, causes, details)
      select '${batch}', 0, 0, '${kind}', 'public.${table}', '${edge}', array_agg(key), ${edge === '' ? 'null' : 'array_agg(cause)'},
        ${kind === 'fell' ? 'null' : 'array_agg(detail)'} from (${rows}) r`;
  const ofLabel = (table: string): string =>
    `select id::text as key, label_id::text as cause from ${table} where label_id = ${label}`;
  const ours = `(${base + 20}, ${base + 21})`;
  return [
    `insert into deletion_batches (id, deleted_at, actor) values ('${batch}', ${at}, '${tree}')`,
    note('fell', 'labels', '', `select '${label}' as key`),
    `update labels set deleted_at = ${at} where id = ${label}`,
    ...['producers', 'albums'].flatMap((table) => [
      note('fell', table, `${table}_label_id_fkey`, ofLabel(table)),
      `update ${table} set deleted_at = ${at} where label_id = ${label}`,
    ]),
    note(
      'fell',
      'tracks',
      'tracks_album_id_fkey',
      `select id::text as key, album_id::text as cause from tracks where album_id in ${ours}`,
    ),
    `update tracks set deleted_at = ${at} where album_id in ${ours}`,
    note(
      'unlinked',
      'tracks',
      'tracks_producer_id_fkey',
      `select id::text as key, producer_id::text as cause, jsonb_build_object('producer_id', producer_id) as detail
        from tracks where producer_id = ${producer} and deleted_at is null`,
    ),
    `update tracks set producer_id = null where producer_id = ${producer} and deleted_at is null`,
    note(
      'removed',
      'album_tags',
      'album_tags_album_id_fkey',
      `select jsonb_build_array(album_id::text, tag_id::text)::text as key, album_id::text as cause, to_jsonb(t) as detail
        from album_tags t where album_id in ${ours}`,
    ),
    `delete from album_tags where album_id in ${ours}`,
    `delete from plays where track_id in (select id from tracks where album_id in ${ours})`,
  ];
}

async function restoreOf(house: House, tree: number): Promise<string[]> {
  const [batch] = await house.rows<{ id: string }>(
    `select id from deletion_batches where actor = '${tree}' and restored_at is null`,
  );
  const base = tree * APART;
  const own = `between ${base} and ${base + APART - 1}`;
  return [
    ...['labels', 'producers', 'albums', 'tracks'].map(
      (table) => `update ${table} set deleted_at = null where id ${own}`,
    ),
    `update tracks set producer_id = ${base + 10} where id ${own}`,
    `insert into album_tags select r.* from deletion_rows e, jsonb_populate_record(null::album_tags, e.detail) r
      where e.batch_id = '${batch?.id}' and e.kind = 'removed'`,
    `update deletion_batches set restored_at = now(), restored_by = '${tree}' where id = '${batch?.id}'`,
  ];
}
