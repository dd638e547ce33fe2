/** The domain meaning of one constraint or one missing row. */
export interface DomainError {
  /** The module's public error code, for example `EMAIL_EXISTS`. */
  readonly code: string;
  readonly status: number;
  /** A sentence for the log: what was refused and what to do next; it must hold no row value. */
  readonly message: string;
}

/** One module's table of domain errors: the only place where a constraint name gets a meaning. */
export interface DomainErrors {
  /** By the name of the constraint or of the unique index. */
  readonly constraints: Readonly<Record<string, DomainError>>;
  /** By the name of the entity that was not found. */
  readonly notFound: Readonly<Record<string, DomainError>>;
  /**
   * By the SQLSTATE of a value that the database refuses (22xxx, 23502, 23514): the module's code in place of `DATA.INVALID`.
   * Class, status and sentence stay. The error names no table then, so the code is that of every module of the ORM.
   */
  readonly invalid?: Readonly<Record<string, string>>;
}

/** The tables of all modules, joined; names in it are unique because constraint names are an interface. */
export function mergeDomainErrors(tables: readonly DomainErrors[]): DomainErrors {
  return {
    constraints: mergeUnique(tables.map((table) => table.constraints)),
    notFound: mergeUnique(tables.map((table) => table.notFound)),
    invalid: mergeEqual(tables.map((table) => table.invalid ?? {})),
  };
}

function mergeUnique(records: readonly Readonly<Record<string, DomainError>>[]): Record<string, DomainError> {
  mergeEqual(
    records.map((record) =>
      Object.fromEntries(Object.entries(record).map(([name, { code }]) => [name, code])),
    ),
  );
  return Object.assign({}, ...records);
}

function mergeEqual(records: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const merged: Record<string, string> = {};
  for (const [name, code] of records.flatMap((record) => Object.entries(record))) {
    if ((merged[name] ?? code) !== code) {
      throw new TypeError(
        `Two modules give ${name} different error codes (${merged[name]}, ${code}). Rename one of them.`,
      );
    }
    merged[name] = code;
  }
  return merged;
}
