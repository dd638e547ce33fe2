import type { EntityMetadata } from '@mikro-orm/core';
import type { CatalogueColumn, OnDelete } from './catalogue.ts';
import type { DeletePolicy } from './policy.ts';

/** A table that takes part in a deletion. */
export interface GraphTable {
  /** As the journal and all answers name it: with its schema, without quotes. */
  readonly name: string;
  /** As SQL names it. */
  readonly sql: string;
  readonly entity: string | undefined;
  readonly columns: readonly CatalogueColumn[];
  readonly primaryKey: readonly CatalogueColumn[];
  /** The column behind `deletedAt`; undefined where every row is live. */
  readonly deletedAt: string | undefined;
  /** The type of that column, with its precision. */
  readonly markType: string;
  /** Whether a trigger or a rule may keep a row from being marked. */
  readonly resists: boolean;
  /** Assignments that go with every write (`updated_at`, a version), as SQL. */
  readonly touch: readonly string[];
  /** Every foreign key of a table whose rows can be removed and brought back. */
  readonly ownKeys: readonly {
    readonly columns: readonly string[];
    readonly parent: string;
    readonly referenced: readonly string[];
    readonly period: boolean;
  }[];
}

/** A foreign key that leads to rows which can be deleted, and what becomes of its rows then. */
export interface GraphEdge {
  readonly constraint: string;
  readonly child: GraphTable;
  readonly parent: GraphTable;
  readonly columns: readonly CatalogueColumn[];
  readonly referenced: readonly CatalogueColumn[];
  /** Whether its last column is a PERIOD. */
  readonly period: boolean;
  readonly onDelete: OnDelete;
  readonly policy: DeletePolicy;
  /** The columns that `unlink` sets to null. */
  readonly emptied: readonly CatalogueColumn[];
  /** Whether an index finds the live rows that refer to one row. */
  readonly indexed: boolean;
}

/** A foreign key by which the database itself refuses a live row of a dead parent; it stands beside that of an edge. */
export interface LiveKey {
  readonly parent: GraphTable;
  /** As SQL names the constraint. */
  readonly sql: string;
}

/** What the declarations and the foreign keys of the database say together. */
export interface DeletionGraph {
  readonly edges: readonly GraphEdge[];
  /** Whether the database has the table of holds, which came behind the journal. */
  readonly hasHolds: boolean;
  readonly liveKeys: readonly LiveKey[];
  tableOf(meta: EntityMetadata): GraphTable | undefined;
  /** By the name of the journal; undefined for a table that has left the schema, or the mapping, since. */
  tableNamed(name: string): GraphTable | undefined;
}

/** The foreign keys that lead to any of `parents`, in a fixed order. */
export function edgesInto(
  graph: DeletionGraph,
  parents: ReadonlySet<GraphTable>,
  ...policies: readonly DeletePolicy[]
): GraphEdge[] {
  return graph.edges.filter(({ parent, policy }) => parents.has(parent) && policies.includes(policy));
}

/** The tables that a deletion from `root` can reach by cascades, itself included, each with the least number of steps. */
export function reachOf(graph: DeletionGraph, root: GraphTable): Map<GraphTable, number> {
  const reached = new Map([[root, 0]]);
  let last = [root];
  for (let level = 1; last.length > 0; level += 1) {
    const next = new Set(edgesInto(graph, new Set(last), 'cascade').map(({ child }) => child));
    last = [...next].filter((table) => !reached.has(table));
    for (const table of last) reached.set(table, level);
  }
  return reached;
}
