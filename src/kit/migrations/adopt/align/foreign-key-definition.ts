import { firstParentheses, splitTopLevel } from '../../doctor/top-level.ts';

/** A foreign key as the catalogue describes it, in its parts. */
export interface ForeignKeyDefinition {
  readonly columns: readonly string[];
  /** Qualified. */
  readonly parent: string;
  readonly referenced: readonly string[];
  readonly isFull: boolean;
}

const START = 'FOREIGN KEY ';
const REFERENCES = ' REFERENCES ';

/** Reads the definition of a constraint; undefined for any other kind. */
export function foreignKeyDefinition(definition: string): ForeignKeyDefinition | undefined {
  if (!definition.startsWith(`${START}(`)) return undefined;
  const [, columns, behind] = firstParentheses(definition);
  const [parent, referenced, rest] = firstParentheses(behind);
  return {
    columns: splitTopLevel(columns, ','),
    parent: parent.slice(REFERENCES.length),
    referenced: splitTopLevel(referenced, ','),
    isFull: rest.includes(' MATCH FULL'),
  };
}

export const NOT_VALID = ' NOT VALID';

/** The constraint as it is once it is validated. */
export const validated = (definition: string): string =>
  definition.endsWith(NOT_VALID) ? definition.slice(0, -NOT_VALID.length) : definition;
