/** A file of the program that made the database, as its ledger lists it. */
export interface KnownFile {
  /** As in the ledger: `001_init.sql`. */
  readonly name: string;
  /** SHA-256 of the trimmed text, of every text that was ever published; any of them will do. */
  readonly checksums: readonly string[];
  /** Whether a complete database may lack it: a file of a later version, or one that was renamed or withdrawn. */
  readonly isOptional?: boolean;
}

/** A change of rows that the schema needs before it can be ours, or that the program's own faults ask for. */
export interface DataRule {
  /** Unique among the rules of the module: `cap subscriptions at 2099`. */
  readonly name: string;
  /** Why rows are changed, in a sentence for the plan. */
  readonly reason: string;
  /** Qualified: `public.user_subscriptions`. */
  readonly table: string;
  /** A unique column of the table, NOT NULL, by which it is gone through. */
  readonly key: string;
  /**
   * Columns that it names, qualified by their table; where one is missing, the rule does not apply. For a rule that comes after
   * the alignment, columns that the files make count as there.
   */
  readonly columns: readonly string[];
  /** Changes the rows whose keys lie between `$1` and `$2`, both included. Run again, it changes nothing. */
  readonly statement: string;
  /**
   * Selects the keys of the rows that it would change, in the whole table, in their order. Windows are cut from these, so that a
   * rule may also store a row that is missing, and a table in which nothing is to be done is only read.
   */
  readonly left: string;
  /** Uniques of the target, as `index public.orders_number`, whose duplicates it takes away. */
  readonly repairs?: readonly string[];
  /** Before or after the schema is aligned. */
  readonly when: 'before' | 'after';
}

/** An object that a database may keep in another form than the files give it. */
export interface AcceptedObject {
  readonly kind: string;
  /** Qualified, as the catalogue is read: `public.idx_usage_logs_group_id`. */
  readonly name: string;
  /** Definitions that count as good, as the catalogue is read. */
  readonly definitions: readonly string[];
  readonly reason: string;
}

/** A file whose doing the catalogue does not show, or not all of it. */
export interface DataFile {
  /** As in the ledger: `gateway/004_seed_default_group.sql`. */
  readonly file: string;
  /**
   * `run`: it is run as it stands, because it is safe on rows that are there already. `resume`: its first statements made what
   * the catalogue shows; where that is there and the column too, the rest is run. `record`: it is recorded once its objects are there.
   */
  readonly how: 'run' | 'resume' | 'record';
  /** How many statements the catalogue shows, for `resume`. */
  readonly statements?: number;
  /**
   * Where its rows come from, qualified. Where it is gone, the file could not run: its objects are made, if they are missing, and
   * it is recorded. For `resume` and `record`.
   */
  readonly column?: string;
}

/** A way to do what a file does while its table is in use. */
export interface OnlineFile {
  /** As in the ledger. */
  readonly file: string;
  /** Qualified. A small one is left to the file itself. */
  readonly table: string;
  /** Makes programs keep both sides from here on, by a trigger most often; run again, it changes nothing. Stops writers for a moment. */
  readonly begin: string;
  /** Selects the keys of the rows that both sides do not agree about, in their order. */
  readonly left: string;
  /** Settles the rows whose keys lie between `$1` and `$2`, both included. */
  readonly statement: string;
  /** Does what the file does, when nothing is left: in a short transaction that nobody writes beside. */
  readonly end: string;
}

/** Something that a person should hear of and that stops nothing. */
export interface AdoptionWarning {
  /** A query with one row and one column, the number of rows that it is about. */
  readonly count: string;
  /** Columns that it names; where one is missing, it is not asked. */
  readonly columns: readonly string[];
  /** A sentence without any value of a row. */
  readonly text: string;
}

/** Rows that a file of ours refuses when it runs, and that no unique or key tells beforehand. */
export interface AdoptionObstacle {
  /** Qualified: a table or a column. */
  readonly object: string;
  /** A query with one row and one column, the number of rows that stand in the way. */
  readonly count: string;
  /** A query that lists them, for a person. */
  readonly query: string;
  /** Columns that both name; where one is missing, they are not asked. */
  readonly columns: readonly string[];
  /** The file that refuses them, as in the ledger; once it is recorded, they are not asked for. */
  readonly file?: string;
  /** A sentence that ends with what to do, without any value of a row. */
  readonly text: string;
}

/** What a module knows of databases that another program has made. */
export interface Adoption {
  /** Who made them, in words: `the original gateway`. */
  readonly origin: string;
  /** Its own migrations, in its order. */
  readonly known: readonly KnownFile[];
  /** Our files of whose schema a complete database of that program has everything. */
  readonly complete: readonly string[];
  readonly rules: readonly DataRule[];
  readonly accepted: readonly AcceptedObject[];
  readonly data: readonly DataFile[];
  readonly online?: readonly OnlineFile[];
  /** What stops an adoption before anything changes, beside what the alignment finds itself. */
  readonly obstacles?: readonly AdoptionObstacle[];
  readonly warnings: readonly AdoptionWarning[];
}
