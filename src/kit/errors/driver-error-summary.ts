/** The fields of PostgreSQL's error report that name objects and never hold a value of a row. */
const SAFE_FIELDS = [
  'code',
  'severity',
  'schema',
  'table',
  'column',
  'dataType',
  'constraint',
  'routine',
] as const;

type SafeField = (typeof SAFE_FIELDS)[number];

/** A driver error as the rest of the layer sees it. */
export type DriverErrorLike = Error & Partial<Record<SafeField, string>>;

const originals = new WeakMap<object, unknown>();

/**
 * What stands in for the driver's own error as the `cause` of a data error.
 *
 * PostgreSQL's `detail` and `where`, and the text of a statement, can hold the values of a row (`Key (email)=(…)`), and
 * loggers print causes; so only the fields that name objects are kept. See {@link driverErrorOf} for the original.
 */
export class DriverErrorSummary extends Error implements Partial<Record<SafeField, string>> {
  override readonly name = 'DriverErrorSummary';
  declare readonly code?: string;
  declare readonly severity?: string;
  declare readonly schema?: string;
  declare readonly table?: string;
  declare readonly column?: string;
  declare readonly dataType?: string;
  declare readonly constraint?: string;
  declare readonly routine?: string;

  constructor(original: DriverErrorLike) {
    super(`The database driver reported ${original.code ?? original.name}.`);
    for (const field of SAFE_FIELDS) {
      if (typeof original[field] === 'string') Object.assign(this, { [field]: original[field] });
    }
  }
}

/** Remembers `original` beside `error`, out of reach of loggers and serialisers. */
export function rememberDriverError(error: object, original: unknown): void {
  originals.set(error, original);
}

/**
 * The driver's own error behind a data error, or `undefined`. For a debugger's eyes: its message, `detail` and `where`
 * can hold values of rows, so never log it.
 */
export function driverErrorOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null ? originals.get(error) : undefined;
}
