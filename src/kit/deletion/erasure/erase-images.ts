import { escapeIdentifier, escapeLiteral } from 'pg';
import type { Run } from '../catalogue.ts';
import type { DeletionGraph, GraphEdge, GraphTable } from '../graph.ts';
import { hasKey } from '../key-sql.ts';
import { statement } from '../statement.ts';
import type { DoomedRows } from './doomed-rows.ts';
import type { ErasedEntries } from './erasure-proof.ts';
import { doomedJson } from './remove-doomed.ts';

/** The rows whose images go: all images of rows that are removed; of a row that stays those that hold what was overwritten. */
export interface ErasedImages {
  readonly rows: DoomedRows;
  /** The columns that were overwritten in rows that stay; undefined where the rows do not stay. */
  readonly scrubbed: readonly string[] | undefined;
}

/**
 * Empties the images that the journal has of erased rows: what they referred to, links to them that were removed, what rows that were
 * unlinked from them referred to. Keys stay: by them a restore finds that rows are gone. The erased rows must still be there,
 * because a foreign key may lead to another column than their key.
 */
export async function eraseImages(
  run: Run,
  graph: DeletionGraph,
  erased: ErasedImages,
): Promise<ErasedEntries[]> {
  const { sql, params } = statement(
    `with input as (select $erased::jsonb as erased), hit as (
      select e.batch_id, e.step, e.part, e.kind, e.table_name, e.edge,
        array_agg(case when h.yes then null else u.detail end order by u.ord) as details,
        (count(*) filter (where h.yes))::int as rows,
        (count(*) filter (where h.yes and u.detail is not null))::int as images
      from deletion_entries e, unnest(e.keys, e.causes, e.details) with ordinality as u (key, cause, detail, ord),
        lateral (select coalesce(${isAbout(graph, erased)}, false) as yes) h
      where e.table_name in (${namesOf(graph, erased)})
      group by e.batch_id, e.step, e.table_name, e.edge, e.part having bool_or(h.yes)
    ), emptied as (
      update deletion_entries e set details = hit.details from hit
      where hit.images > 0 and e.batch_id = hit.batch_id and e.step = hit.step and e.table_name = hit.table_name
        and e.edge = hit.edge and e.part = hit.part
    )
    select batch_id as batch, kind, table_name as table, sum(rows)::int as rows, sum(images)::int as images
    from hit group by 1, 2, 3 order by 1, 2, 3
    /* soft-delete: dead rows, because it is about them */`,
    { erased: doomedJson(erased.rows) },
  );
  return run<ErasedEntries>(sql, params);
}

const edgesOf = (graph: DeletionGraph, { rows }: ErasedImages): GraphEdge[] =>
  graph.edges.filter(({ parent }) => rows.has(parent));

function namesOf(graph: DeletionGraph, erased: ErasedImages): string {
  const tables = new Set([...erased.rows.keys(), ...edgesOf(graph, erased).map(({ child }) => child)]);
  return [...tables].map(({ name }) => escapeLiteral(name)).join(', ');
}

/** Whether what the entry says under `u` is about an erased row. */
function isAbout(graph: DeletionGraph, erased: ErasedImages): string {
  const { rows, scrubbed } = erased;
  const names = scrubbed?.map((name) => escapeLiteral(name)).join(', ');
  const holds = scrubbed ? `jsonb_exists_any(u.detail, array[${names}]) and ` : '';
  const own = [...rows.keys()].map(
    (table) => `(${holds}e.table_name = ${escapeLiteral(table.name)} and u.key in ${keysOf(table)})`,
  );
  const referring = edgesOf(graph, erased).flatMap((edge) => {
    const isChild = `e.table_name = ${escapeLiteral(edge.child.name)}`;
    const isUnlinked = `(e.kind = 'unlinked' and ${isChild} and e.edge = ${escapeLiteral(edge.constraint)} and u.cause in ${keysOf(edge.parent)})`;
    // A link may have been removed because of the row at its other end.
    const isRemoved = `(case when e.kind = 'removed' and ${isChild} then ${imageRefers(edge)} else false end)`;
    return [...(scrubbed ? [] : [isUnlinked]), ...(edge.child.deletedAt === undefined ? [isRemoved] : [])];
  });
  return [...own, ...referring].join(' or ');
}

function imageRefers({ child, parent, columns, referenced }: GraphEdge): string {
  const list = (alias: string, all: readonly { readonly name: string }[]) =>
    all.map(({ name }) => `${alias}.${escapeIdentifier(name)}`).join(', ');
  return `exists (select from jsonb_populate_record(null::${child.sql}, u.detail) r where (${list('r', columns)}) in (
    select ${list('p', referenced)} from ${keysOf(parent)} k (key) join ${parent.sql} p on ${hasKey(parent, 'p', 'k.key')}))`;
}

/** It stands for itself, so that it is hashed once and not asked again for each entry. */
const keysOf = ({ name }: GraphTable): string =>
  `(select x.key from input i, jsonb_array_elements_text(i.erased -> ${escapeLiteral(name)}) x (key))`;
