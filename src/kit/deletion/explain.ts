import type { EntityClass, FilterQuery } from '@mikro-orm/core';
import { escapeLiteral } from 'pg';
import type { DataEntityManager } from '../orm/index.ts';
import { closureBlockers, closureSql, rowsOfEdge } from './closure.ts';
import { conditionOf, type Deletable, registered } from './delete-rows.ts';
import { edgesInto, type GraphEdge, type GraphTable, reachOf } from './graph.ts';
import { graphOf, runOf } from './graph-of.ts';
import type { DeletePolicy } from './policy.ts';
import { selectKeys } from './remove-rows.ts';
import type { Blocker } from './restricted-error.ts';
import { statement } from './statement.ts';

/** One foreign key of a plan, and the rows that it would reach. */
export interface PlanStep {
  /** The first level at which rows can be reached by it; a cycle reaches them again at later ones. */
  readonly level: number;
  readonly table: string;
  readonly entity: string | undefined;
  readonly parent: string;
  readonly constraint: string;
  readonly policy: DeletePolicy;
  readonly rows: number;
}

/** What a deletion would do. */
export interface DeletePlan {
  readonly entity: string;
  readonly steps: readonly PlanStep[];
  /** Rows that would be marked, by table. */
  readonly rows: Readonly<Record<string, number>>;
  /** Live rows that forbid it; empty when it would succeed. */
  readonly blockers: readonly Blocker[];
}

/** Tells what {@link deleteRows} would do now: levels, tables, policies, counts. It writes and locks nothing. */
export async function explainDelete<Entity extends Deletable>(
  em: DataEntityManager,
  entity: EntityClass<Entity>,
  where: FilterQuery<NoInfer<Entity>>,
): Promise<DeletePlan> {
  const meta = registered(em, entity);
  const driver = em.getDriver();
  const run = runOf(em.fork({ keepTransactionContext: true }));
  const graph = await graphOf(driver, run, em.schema);
  const root = graph.tableOf(meta) as GraphTable;
  const rows = selectKeys(driver, meta, await conditionOf(em, entity, where), {
    ctx: em.getTransactionContext(),
    ...(em.schema !== undefined && { schema: em.schema }),
  });
  const from = { graph, root, rows };
  const reach = reachOf(graph, root);
  const edges = edgesInto(
    graph,
    new Set(reach.keys()),
    'cascade',
    'restrict',
    'unlink',
    'keep',
    'remove',
    'record',
  );
  const counts = [
    `select f.t as name, count(*)::int as rows, -1 as edge from fallen f group by f.t`,
    ...edges.map(
      (edge, index) =>
        `select ${escapeLiteral(edge.child.name)} as name, count(*)::int as rows, ${index} as edge from (${rowsOfEdge(edge)}) r`,
    ),
  ];
  const { sql, params } = statement(`${closureSql(from)} ${counts.join(' union all ')}`, { root: rows });
  const found = await run<{ name: string; rows: number; edge: number }>(sql, params);
  const restricting = edgesInto(graph, new Set(reach.keys()), 'restrict');
  return {
    entity: meta.className,
    steps: stepsOf(edges, reach, found),
    rows: Object.fromEntries(
      [...reach.keys()].flatMap(({ name }) => {
        const own = found.find((one) => one.edge === -1 && one.name === name);
        return own ? [[name, own.rows]] : [];
      }),
    ),
    blockers: restricting.length > 0 ? await closureBlockers(run, from, restricting) : [],
  };
}

function stepsOf(
  edges: readonly GraphEdge[],
  reach: ReadonlyMap<GraphTable, number>,
  found: readonly { edge: number; rows: number }[],
): PlanStep[] {
  return edges
    .map((edge, index) => ({
      level: (reach.get(edge.parent) ?? 0) + 1,
      table: edge.child.name,
      entity: edge.child.entity,
      parent: edge.parent.name,
      constraint: edge.constraint,
      policy: edge.policy,
      rows: found.find((one) => one.edge === index)?.rows ?? 0,
    }))
    .toSorted((a, b) => a.level - b.level);
}

/** The plan as text, one line for each foreign key. */
export function formatDeletePlan({ entity, steps, rows, blockers }: DeletePlan): string {
  const width = Math.max(...steps.map(({ table }) => table.length), 5);
  const lines = steps.map(
    ({ level, table, policy, rows: count, constraint }) =>
      `  level ${level}  ${table.padEnd(width)}  ${policy.padEnd(8)}  ${String(count).padStart(8)}  by ${constraint}`,
  );
  const total = Object.entries(rows).map(([table, count]) => `${count} of ${table}`);
  return [
    `Delete ${entity}: ${total.join(', ') || 'nothing'}`,
    ...lines,
    ...blockers.map(
      ({ table, constraint, rows: count }) => `  refused: ${count} live rows of ${table} by ${constraint}`,
    ),
  ].join('\n');
}
