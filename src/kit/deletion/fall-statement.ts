import { GIVEN, notedSql } from './noted-sql.ts';
import { escapeIdentifier, escapeLiteral } from 'pg';
import type { DeletionGraph, GraphEdge, GraphTable } from './graph.ts';
import { edgesInto } from './graph.ts';
import {
  hasKey,
  isLiveRow,
  isSameRow,
  keyColumns,
  keyText,
  leadsToKey,
  parentRow,
  refersTo,
} from './key-sql.ts';

/** Where a statement finds the rows of the step before. */
const BEFORE = `e.batch_id = $batch and e.step = $before and e.kind = 'fell'`;

/**
 * Marks the rows of `$root`, which calls their table `alias`, and journals them. It locks them as a removal would: a plain update
 * lets others insert children meanwhile, which the next statement would not see. The select itself locks, because it is what is
 * asked again of a row that another transaction was changing.
 */
export function fallOfRoots(table: GraphTable, alias: string): string {
  return fallen(
    `
    hit as (
      select ${keyColumns(table, 'q')}, ''::text as tombstone_edge, null::text as tombstone_cause
      from ($root order by ${keyColumns(table, alias)} for update of ${alias}) q
    ), fell0 as (${mark(table, 'hit', isSameRow(table, 't', 'h'))})`,
    [table],
    () => 'hit',
  );
}

/** Marks and journals what falls because of the rows of the step before, of however many tables. */
export function fallOfChildren(graph: DeletionGraph, edges: readonly GraphEdge[]): string {
  const children = [...new Set(edges.map(({ child }) => child))];
  const steps = children.flatMap((child, index) => {
    const into = edges.filter((edge) => edge.child === child);
    const isParent =
      edgesInto(graph, new Set([child]), 'cascade', 'restrict', 'unlink', 'remove', 'record').length > 0;
    return stepsOf(child, into, { index, locks: isParent || child.resists });
  });
  return fallen(steps.join(', '), children, (index) => `locked${index}`);
}

interface StepForm {
  readonly index: number;
  /** Whether the rows have children of their own, which nobody may add meanwhile, or have to be counted before they are marked. */
  readonly locks: boolean;
}

function stepsOf(child: GraphTable, into: readonly GraphEdge[], { index, locks }: StepForm): string[] {
  const [only, ...more] = into;
  if (only && more.length === 0 && !locks) return [`fell${index} as (${markDirectly(only)})`];
  const hits = into.map(
    (edge, order) => `select ${keyColumns(child, 't')}, ${escapeLiteral(edge.constraint)} as tombstone_edge,
        e.key as tombstone_cause, ${order} as tombstone_order
      from ${child.sql} t, deletion_rows e ${parentRow(edge, 'e.key')}
      where ${BEFORE} and e.table_name = ${escapeLiteral(edge.parent.name)} and ${refersTo(edge, 't', 'e.key')} and ${isLiveRow(child, 't')}`,
  );
  const hit = `hit${index} as (
      select distinct on (${keyColumns(child, 'u')}) ${hitColumns(child, 'u')} from (${hits.join(' union all ')}) u
      order by ${keyColumns(child, 'u')}, u.tombstone_order)`;
  const still = `${isSameRow(child, 't', 'h')} and (${into.map(stillRefers).join(' or ')})`;
  if (!locks) return [hit, `fell${index} as (${mark(child, `hit${index}`, still)})`];
  const locked = `locked${index} as (
      select ${hitColumns(child, 'h')} from ${child.sql} t join hit${index} h on ${still} where ${isLiveRow(child, 't')}
      order by ${keyColumns(child, 't')} for update of t)`;
  return [hit, locked, `fell${index} as (${mark(child, `locked${index}`, isSameRow(child, 't', 'h'))})`];
}

const hitColumns = (table: GraphTable, alias: string): string =>
  `${keyColumns(table, alias)}, ${alias}.tombstone_edge, ${alias}.tombstone_cause`;

/** Asked again after a wait: a row that was moved to another parent meanwhile does not fall. */
function stillRefers(edge: GraphEdge): string {
  const isEdge = `h.tombstone_edge = ${escapeLiteral(edge.constraint)}`;
  const refers = refersTo(edge, 't', 'h.tombstone_cause');
  if (leadsToKey(edge)) return `(${isEdge} and ${refers})`;
  return `(${isEdge} and exists (select from ${edge.parent.sql} p where ${hasKey(edge.parent, 'p', 'h.tombstone_cause')} and ${refers}))`;
}

function mark(table: GraphTable, from: string, condition: string): string {
  return `update ${table.sql} t set ${assignments(table)} from ${from} h
    where ${condition} and ${isLiveRow(table, 't')} returning ${keyText(table, 't')} as key,
      h.tombstone_edge as edge, h.tombstone_cause as cause`;
}

function markDirectly(edge: GraphEdge): string {
  const { child, parent, constraint } = edge;
  return `update ${child.sql} t set ${assignments(child)} from deletion_rows e ${parentRow(edge, 'e.key')}
    where ${BEFORE} and e.table_name = ${escapeLiteral(parent.name)} and ${refersTo(edge, 't', 'e.key')} and ${isLiveRow(child, 't')}
    returning ${keyText(child, 't')} as key, ${escapeLiteral(constraint)} as edge, e.key as cause`;
}

function assignments({ deletedAt, touch }: GraphTable): string {
  return [`${escapeIdentifier(deletedAt ?? '')} = now()`, ...touch].join(', ');
}

/** The journal is written by the statement that marks, so that it costs no round trip; a batch begins with its first row. */
function fallen(steps: string, tables: readonly GraphTable[], lockedBy: (index: number) => string): string {
  const all = tables
    .map(
      ({ name }, index) => `select ${escapeLiteral(name)} as table_name, key, edge, cause from fell${index}`,
    )
    .join(' union all ');
  return `with ${GIVEN}, ${steps}, batch as (
      insert into deletion_batches (id, deleted_at, tenant, actor, reason)
      select g.batch, now(), g.tenant, g.actor, g.reason from given g where ${tables.map((_, index) => `exists (select from fell${index})`).join(' or ')}
      on conflict (id) do nothing
    ), ${notedSql(`select 'fell' as kind, table_name, key, edge, cause, null::jsonb as detail from (${all}) f`)}
    ${tables.map(({ name, resists }, index) => counted(name, index, resists ? lockedBy(index) : undefined)).join(' union all ')}`;
}

/** How many rows fell, and how many were to fall where not all may. */
function counted(name: string, index: number, locked: string | undefined): string {
  const meant = locked === undefined ? 'null::int' : `(select count(*)::int from ${locked})`;
  return `select ${escapeLiteral(name)} as name, count(*)::int as rows, ${meant} as meant from fell${index}`;
}
