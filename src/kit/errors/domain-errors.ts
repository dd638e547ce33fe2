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
}

/** The tables of all modules, joined; names in it are unique because constraint names are an interface. */
export function mergeDomainErrors(tables: readonly DomainErrors[]): DomainErrors {
  return {
    constraints: mergeUnique(tables.map((table) => table.constraints)),
    notFound: mergeUnique(tables.map((table) => table.notFound)),
  };
}

function mergeUnique(records: readonly Readonly<Record<string, DomainError>>[]): Record<string, DomainError> {
  const merged: Record<string, DomainError> = {};
  for (const [name, error] of records.flatMap((record) => Object.entries(record))) {
    if (merged[name] && merged[name].code !== error.code) {
      throw new TypeError(
        `Two modules give ${name} different error codes (${merged[name].code}, ${error.code}). Rename one of them.`,
      );
    }
    merged[name] = error;
  }
  return merged;
}
