import type { House } from './operations.ts';
import { APART, SHAPE } from './trees.ts';

interface Stored {
  readonly tree: number;
  readonly what: string;
}

/**
 * What a tree looks like: its rows with what they refer to, each mark as the number of the batch of the journal that it belongs to,
 * and the journal. Keys are those inside the tree, so that two trees to which the same was done are equal texts; a mark without an
 * entry, or an entry without its mark, is a difference.
 */
export async function picturesOf(house: House, trees: number): Promise<string[]> {
  const rows = await house.rows<Stored>(
    [
      ...Object.entries(SHAPE).map(([table, columns]) => rowsSql(table, columns)),
      BATCHES,
      ENTRIES,
      ERASURES,
    ].join(' union all '),
  );
  const lines = Array.from({ length: trees + 1 }, (): string[] => []);
  for (const { tree, what } of rows) lines[tree]?.push(what);
  return lines.map((own) => own.toSorted().join('\n'));
}

/** The batches of a tree are numbered by their clock. */
const NUMBERED = `(select b.*, row_number() over (partition by actor order by deleted_at) as number from deletion_batches b)`;

function rowsSql(table: string, columns: readonly string[]): string {
  const first = columns[0] as string;
  const values = columns.map((name) => `coalesce((t.${name} % ${APART})::text, 'null')`).join(` || ' ' || `);
  const hasMark = ['labels', 'producers', 'albums', 'tracks'].includes(table);
  const mark = `case when t.deleted_at is null then 'live' else coalesce((
      select 'dead by ' || b.number from ${NUMBERED} b join deletion_rows e on e.batch_id = b.id
      where b.deleted_at = t.deleted_at and b.restored_at is null and e.kind = 'fell'
        and e.table_name = 'public.${table}' and e.key = t.id::text), 'dead by none') end`;
  return `select (t.${first} / ${APART})::int as tree, '${table} ' || ${values}${hasMark ? ` || ' ' || ${mark}` : ''} as what
    from ${table} t /* soft-delete: dead rows too, because it looks at what was done to them */`;
}

const BATCHES = `select b.actor::int as tree, 'batch ' || b.number || case when b.restored_at is null then ' open' else ' restored' end as what
  from ${NUMBERED} b`;

const inTree = (text: string): string => `regexp_replace(${text}, '\\d+(\\d{3})', '\\1', 'g')`;

const ENTRIES = `select (substring(e.key from '\\d+')::bigint / ${APART})::int as tree,
    concat_ws(' ', 'entry', coalesce(b.number::text, 'of no batch'), e.kind, e.table_name, e.edge,
      ${inTree('e.key')}, ${inTree('e.cause')}, ${inTree('e.detail::text')}) as what
  from deletion_rows e left join ${NUMBERED} b on b.id = e.batch_id`;

const ERASURES = `select (x.key::bigint / ${APART})::int as tree, 'proof ' || (x.proof ->> 'mode') as what from deletion_erasures x
  union all select (l.id / ${APART})::int, 'name ' || l.name from labels l where l.name is not null
  /* soft-delete: dead rows too, because it looks at what was done to them */`;
