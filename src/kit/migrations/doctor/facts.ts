import type { BackstopTable } from '../backstop.ts';
import type { Condition } from './condition.ts';
import type { EntityDifference } from './entity-difference.ts';
import type { FreeNames } from './free-names.ts';

/** A column, as far as rules ask. Names are as they are stored. */
export interface ColumnFacts {
  readonly name: string;
  /** With its schema where it is not PostgreSQL's own. */
  readonly type: string;
  readonly isMoment: boolean;
  readonly isNotNull: boolean;
  /** The expression of a generated column. */
  readonly generation: string | null;
  /** The share of NULL that the planner has seen; null where nobody has counted. */
  readonly nulls: number | null;
}

/** A table, also one that is divided or a partition. */
export interface TableFacts {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  /** Qualified and quoted, as in SQL. */
  readonly sql: string;
  /** As findings name it: without the schema where that is `public`. */
  readonly shown: string;
  readonly isPartitioned: boolean;
  /** The table that it is a partition of. */
  readonly parent: string | null;
  /** As the planner knows; negative where nobody has counted. */
  readonly rows: number;
  readonly columns: readonly ColumnFacts[];
}

/** One key of an index: a column, or an expression as the server prints it. */
export interface KeyFacts {
  readonly column: string | null;
  readonly text: string;
  /** What the key tells of the mark: nothing, whether the row is dead, or something finer, such as the instant. */
  readonly mark: 'none' | 'whether' | 'instant';
}

/** The constraint behind an index. */
export interface IndexConstraint {
  readonly name: string;
  /** As `pg_constraint.contype`: `p`, `u`, `x`. */
  readonly type: string;
  readonly isDeferrable: boolean;
  readonly isDeferred: boolean;
  /** WITHOUT OVERLAPS, since PostgreSQL 18. */
  readonly isTemporal: boolean;
  readonly definition: string;
}

export interface IndexFacts {
  readonly oid: string;
  readonly table: string;
  readonly name: string;
  readonly isUnique: boolean;
  readonly isPrimary: boolean;
  /** Valid and ready. */
  readonly isUsable: boolean;
  /** A foreign key, or logical replication, needs it as it is. */
  readonly isNeededWhole: boolean;
  readonly isNullsNotDistinct: boolean;
  readonly method: string;
  readonly keys: readonly KeyFacts[];
  /** Whether INCLUDE adds columns. */
  readonly hasPayload: boolean;
  /** The index of the divided table that it is a part of. */
  readonly parent: string | null;
  readonly constraint: IndexConstraint | null;
  /** From USING to before the predicate. */
  readonly body: string;
  readonly predicate: string | null;
  /** The predicate, taken apart at AND; empty for an index of all rows. */
  readonly conditions: readonly Condition[];
}

/** A foreign key as it was declared; its copies at partitions are left out. */
export interface ForeignKeyFacts {
  readonly name: string;
  readonly table: string;
  readonly target: string;
  readonly columns: readonly string[];
  /** As `pg_constraint.confdeltype`: `c` for CASCADE. */
  readonly action: string;
  readonly isEnforced: boolean;
  readonly definition: string;
}

/** A to-one relation of an entity to a soft-deletable one, whose key stands in the row of its owner. */
export interface RelationFacts {
  /** `Entity.property`. */
  readonly name: string;
  readonly isDeclared: boolean;
}

/** What the entities say; each part is left out where there are none. */
export interface ModelFacts {
  /** The tables of soft-deletable entities. A schema of `*` is any. */
  readonly tables?: readonly BackstopTable[];
  readonly relations?: readonly RelationFacts[];
  /**
   * Tables whose deletion the program carries to their children, so that a cascade is a policy and no mistake, and what becomes of
   * a child without a mark was decided. A schema that is left out is `public`.
   */
  readonly deletedByPolicy?: readonly Pick<BackstopTable, 'schema' | 'table'>[];
}

/** All that rules look at. */
export interface DoctorFacts {
  /** As `server_version_num`. */
  readonly version: number;
  readonly tables: ReadonlyMap<string, TableFacts>;
  /** By the oid of their table. */
  readonly indexes: ReadonlyMap<string, readonly IndexFacts[]>;
  readonly foreignKeys: readonly ForeignKeyFacts[];
  /** The column that marks a row as deleted, by the table's oid. */
  readonly soft: ReadonlyMap<string, string>;
  readonly model: ModelFacts;
  readonly difference: EntityDifference;
  /** Names for what is built. */
  readonly names: FreeNames;
}

/** The table of an index or a foreign key; the catalogue was read in one snapshot, so that it is there. */
export function tableOf({ tables }: DoctorFacts, { table }: { readonly table: string }): TableFacts {
  return tables.get(table) as TableFacts;
}

/** The indexes of a table. */
export function indexesOf({ indexes }: DoctorFacts, table: string): readonly IndexFacts[] {
  return indexes.get(table) ?? [];
}

/** The index of a table's primary key. */
export function primaryOf(facts: DoctorFacts, table: string): IndexFacts | undefined {
  return indexesOf(facts, table).find(({ isPrimary }) => isPrimary);
}

/** A name as SQL takes it, whatever it is. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
