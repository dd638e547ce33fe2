import { instantAt } from './instant-bytes.ts';

/** What `pg` tells of a column. */
export interface Field {
  readonly name: string;
  readonly dataTypeID: number;
  readonly format?: string;
}

export type ParserOf = (type: number, format: string) => (value: string) => unknown;

/** Which columns of instants (timestamptz) are read as dates, by their names, and not as the texts of the database; or all of them. */
export type Dates = true | ReadonlySet<string>;

interface Column {
  readonly name: string;
  /** Whether its texts are of ASCII only, as the type says. */
  readonly isAscii: boolean;
  readonly isDate: boolean;
  parse(text: string): unknown;
}

/** Rows in the protocol's form, `texts` their bytes as letters from `start` on, unless they are too many. */
export interface RowBytes {
  readonly bytes: Buffer;
  readonly texts: string | undefined;
  readonly start: number;
}

/** bool, int8, int2, int4, oid, float4, float8, date, timestamp, timestamptz, numeric, uuid. */
const ASCII: ReadonlySet<number> = new Set([16, 20, 21, 23, 26, 700, 701, 1082, 1114, 1184, 1700, 2950]);
const TIMESTAMPTZ = 1184;
/** V8 copies a part of a text that is shorter than this, and a longer one keeps the whole text in memory. */
const COPIED = 13;

/** How the rows of a statement are read from the bytes of the protocol: the type, the length, the number of columns, and each with its length. */
export class RowForm {
  readonly #columns: readonly Column[];
  /** Copied for each row, so that all have one form. */
  readonly #empty: object;
  /** Whether a null has to be written, because a column before it has the same name. */
  readonly #areTwins: boolean;

  constructor(fields: readonly Field[], parserOf: ParserOf, dates: Dates | undefined) {
    this.#columns = fields.map(({ name, dataTypeID, format = 'text' }) => {
      const parse = parserOf(dataTypeID, format);
      const isDate = dataTypeID === TIMESTAMPTZ && (dates === true || dates?.has(name) === true);
      return { name, isAscii: ASCII.has(dataTypeID), isDate, parse };
    });
    // An assignment would make nothing of a column that is named `__proto__`.
    const empty = Object.fromEntries(fields.map(({ name }) => [name, null]));
    // A copy of an object that was made property by property is laid out as a whole, and its copies are, too.
    this.#empty = { ...empty };
    this.#areTwins = new Set(fields.map(({ name }) => name)).size < fields.length;
  }

  /** Whether the row that begins at `at` has as many columns. */
  fits({ bytes }: RowBytes, at: number): boolean {
    return bytes.readInt16BE(at + FIELDS - 2) === this.#columns.length;
  }

  /** The row that begins at `at`. */
  object(rows: RowBytes, at: number): object {
    const row = { ...this.#empty } as Record<string, unknown>;
    const { bytes } = rows;
    let next = at + FIELDS;
    for (const column of this.#columns) {
      const length = bytes.readInt32BE(next);
      next += 4;
      if (length >= 0) {
        row[column.name] = valueOf(column, rows, next, length);
        next += length;
      } else if (this.#areTwins) row[column.name] = null;
    }
    return row;
  }

  list(rows: RowBytes, at: number): unknown[] {
    let next = at + FIELDS;
    return this.#columns.map((column) => {
      const length = rows.bytes.readInt32BE(next);
      next += 4;
      if (length < 0) return null;
      next += length;
      return valueOf(column, rows, next - length, length);
    });
  }
}

/** Behind the type, the length and the number of columns. */
const FIELDS = 7;

function valueOf(column: Column, { bytes, texts, start }: RowBytes, at: number, length: number): unknown {
  const instant = column.isDate ? instantAt(bytes, at, length) : undefined;
  if (instant) return instant;
  if (!column.isAscii) return column.parse(bytes.toString('utf8', at, at + length));
  if (length >= COPIED || texts === undefined) return column.parse(bytes.toString('latin1', at, at + length));
  return column.parse(texts.slice(at - start, at - start + length));
}
