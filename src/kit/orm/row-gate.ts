import type { RowBytes } from './row-form.ts';

/** Whoever reads rows from their bytes, as they stand in the protocol. */
export interface RowTaker {
  takeRow(rows: RowBytes, at: number): void;
}

interface Gate {
  /** The driver's own reader; it is given whole messages. */
  pass(bytes: Buffer): void;
  /** Who takes the next row; undefined for the driver. */
  taker(): RowTaker | undefined;
}

const DATA_ROW = 0x44;
/** The type of a message, and its length, which counts itself. */
const HEADER = 5;

const endOf = (bytes: Buffer, at: number): number => at + 1 + bytes.readUInt32BE(at + 1);

/**
 * Stands between a socket and the driver's reader, and takes the rows that somebody reads from their bytes: the driver makes a text of
 * each column, a list and a message of each row, and looks up who is told of it.
 */
export class RowGate {
  readonly #gate: Gate;
  /** Pieces of a message that is not whole, how many bytes they are, and how many it takes to go on. */
  #pieces: Buffer[] = [];
  #size = 0;
  #needed = HEADER;

  constructor(gate: Gate) {
    this.#gate = gate;
  }

  take(chunk: Buffer): void {
    const bytes = this.#joined(chunk);
    if (!bytes) return;
    let [given, at] = [0, 0];
    while (at + HEADER <= bytes.length) {
      const end = endOf(bytes, at);
      if (end > bytes.length) break;
      if (bytes[at] !== DATA_ROW) {
        at = end;
        continue;
      }
      // What comes before a row decides whose it is.
      this.#pass(bytes, given, at);
      given = at;
      const past = endOfRows(bytes, at);
      if (this.#taken(bytes, at, past)) given = past;
      at = past;
    }
    if (at < bytes.length) this.#keep(bytes.subarray(at));
    this.#pass(bytes, given, at);
  }

  #pass(bytes: Buffer, from: number, to: number): void {
    if (from < to) this.#gate.pass(bytes.subarray(from, to));
  }

  #taken(bytes: Buffer, start: number, end: number): boolean {
    const taker = this.#gate.taker();
    if (!taker) return false;
    const rows = { bytes, texts: bytes.toString('latin1', start, end), start };
    for (let at = start; at < end; at = endOf(bytes, at)) taker.takeRow(rows, at);
    return true;
  }

  /** Undefined as long as there is no whole message; a long one comes in many pieces, and is put together once. */
  #joined(chunk: Buffer): Buffer | undefined {
    if (this.#size === 0) return chunk;
    this.#pieces.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#needed) return undefined;
    const bytes = Buffer.concat(this.#pieces, this.#size);
    this.#pieces = [];
    this.#size = 0;
    return bytes;
  }

  #keep(rest: Buffer): void {
    this.#pieces = [rest];
    this.#size = rest.length;
    this.#needed = rest.length < HEADER ? HEADER : endOf(rest, 0);
  }
}

function endOfRows(bytes: Buffer, start: number): number {
  let at = start;
  while (at + HEADER <= bytes.length && bytes[at] === DATA_ROW) {
    const end = endOf(bytes, at);
    if (end > bytes.length) break;
    at = end;
  }
  return at;
}
