/** A column as the catalogue describes it, in its parts. */
export interface ColumnDefinition {
  /** `numeric(20,8)`. */
  readonly type: string;
  readonly collation: string | undefined;
  readonly isNotNull: boolean;
  /** `generated always as identity`. */
  readonly identity: string | undefined;
  readonly default: string | undefined;
  /** `generated always as (...) stored`. */
  readonly generated: string | undefined;
}

const FORM =
  /^(?<type>.+?)(?: collate (?<collation>(?:"(?:[^"]|"")*"|[\w$.])+))?(?<isNotNull> not null)?(?: (?<identity>generated (?:always|by default) as identity))?(?: default (?<default>.*)| (?<generated>generated always as \(.*))?$/s;

/** Reads a definition that `describeSchema` has printed. */
export function columnDefinition(text: string): ColumnDefinition {
  const found = FORM.exec(text)?.groups ?? {};
  return {
    type: found['type'] ?? text,
    collation: found['collation'],
    isNotNull: found['isNotNull'] !== undefined,
    identity: found['identity'],
    default: found['default'],
    generated: found['generated'],
  };
}

/** The column as CREATE TABLE and ADD COLUMN take it, behind its name. */
export function columnSql({
  type,
  collation,
  isNotNull,
  identity,
  default: value,
  generated,
}: ColumnDefinition): string {
  return [
    typeSql({ type, collation }),
    identity ?? '',
    value === undefined ? '' : `DEFAULT ${value}`,
    // The catalogue says `virtual` too, which is the default where there is any.
    generated ?? '',
    isNotNull ? 'NOT NULL' : '',
  ]
    .filter((part) => part !== '')
    .join(' ');
}

/** The type as ADD COLUMN and ALTER COLUMN take it: without its collation, that of the type would come back. */
export const typeSql = ({ type, collation }: Pick<ColumnDefinition, 'type' | 'collation'>): string =>
  collation === undefined ? type : `${type} COLLATE ${collation}`;
