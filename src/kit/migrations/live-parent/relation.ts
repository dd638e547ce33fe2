/** A table at one end of a relation, as the database has it. */
export interface LiveTable {
  readonly schema: string;
  readonly name: string;
  /** Whether its bare name finds it, as migrations are run. */
  readonly isVisible: boolean;
  /** Partitioned, a partition, or part of an inheritance tree. */
  readonly isDivided: boolean;
  readonly hasLiveColumn: boolean;
  /** Whether a trigger keeps the column, with a check; it is generated otherwise. */
  readonly hasLiveCheck: boolean;
  readonly primaryKey: readonly string[];
  /** A column by which a back-fill can go through it. */
  readonly fillKey: string | null;
}

/** A foreign key, and what of the guarantee the database has already. */
export interface LiveRelation {
  readonly constraint: string;
  readonly child: LiveTable;
  readonly parent: LiveTable;
  readonly columns: readonly string[];
  readonly referenced: readonly string[];
  /** Whether an index finds the live children of a parent. */
  readonly isIndexed: boolean;
  /** Whether the parent has a unique key of the referenced columns and the live one. */
  readonly hasParentKey: boolean;
  /** The second foreign key; null where there is none. */
  readonly liveKey: string | null;
  readonly isValidated: boolean;
}

/** How a relation is named: by its foreign key, or by table and columns. */
export type RelationPlace =
  | { readonly constraint: string }
  | { readonly table: string; readonly schema?: string | undefined; readonly columns: readonly string[] };

/** The columns that mark rows as deleted. */
export interface Marks {
  readonly child: string;
  readonly parent: string;
}

/** The names that SQL takes. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** As migrations name it: bare where that finds it. */
export const sqlName = ({
  schema,
  name,
  isVisible,
}: Pick<LiveTable, 'schema' | 'name' | 'isVisible'>): string =>
  isVisible ? quoted(name) : `${quoted(schema)}.${quoted(name)}`;

export const shownName = ({ schema, name }: Pick<LiveTable, 'schema' | 'name'>): string =>
  `${schema}.${name}`;

/** A table that refers to itself needs its column once. */
export const isSelf = ({ child, parent }: LiveRelation): boolean => shownName(child) === shownName(parent);
