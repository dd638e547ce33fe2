/** Trees are apart by this much: what is left of a key is the place of the row in its tree. */
export const APART = 1000;

/** Tables with the columns that tell their rows apart, in the order in which they can be filled. */
export const SHAPE: Readonly<Record<string, readonly string[]>> = {
  labels: ['id'],
  producers: ['id', 'label_id'],
  albums: ['id', 'label_id'],
  tracks: ['id', 'album_id', 'producer_id'],
  tags: ['id'],
  album_tags: ['album_id', 'tag_id'],
  plays: ['id', 'track_id'],
};

/**
 * A label (1) with a producer and two albums falls with their tracks; a track of the other label's album (2) has that producer,
 * and is unlinked. Tags hang on the albums by recorded links, plays on the tracks are removed.
 */
const ROWS: Readonly<Record<string, readonly (readonly number[])[]>> = {
  labels: [[1], [2]],
  producers: [[10, 1]],
  albums: [
    [20, 1],
    [21, 1],
    [22, 2],
  ],
  tracks: [20, 21, 22].flatMap((album) => [0, 1, 2].map((n) => [album * 10 + n, album, 10])),
  tags: [[50]],
  album_tags: [20, 21, 22].map((album) => [album, 50]),
  plays: [200, 201, 210, 220].map((track) => [track + 100, track]),
};

/** Rewrites all tables and the journal, so that there are `count` trees and nothing else. */
export function plantSql(count: number): string {
  const tables = [...Object.keys(SHAPE), 'deletion_batches', 'deletion_entries', 'deletion_erasures'];
  const inserts = Object.entries(SHAPE).map(([table, columns]) => {
    const rows = ROWS[table] ?? [];
    const values = rows.map((row) => `(${row.map((value) => `t * ${APART} + ${value}`).join(', ')})`);
    return `insert into ${table} (${columns.join(', ')})
      select v.* from generate_series(1, ${count}) t, lateral (values ${values.join(', ')}) v`;
  });
  return [`truncate ${tables.join(', ')} cascade`, ...inserts].join(';\n');
}

export const rootOf = (tree: number): string => String(tree * APART + 1);
