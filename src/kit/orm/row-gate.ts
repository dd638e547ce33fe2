import type { RowBytes } from './row-form.ts';

/** A query that reads its own answer from the bytes of the protocol; places are those of whole messages. */
export interface AnswerTaker {
  takeRow(rows: RowBytes, at: number): void;
  takeEnd(bytes: Buffer, at: number, end: number): void;
}

/** What is on both sides of a gate. */
export interface Gate {
  /** The driver's own reader; it is given whole messages. */
  pass(bytes: Buffer): void;
  /** Whose answer is read; undefined where that is the driver's. Asked once for each query. */
  taker(): AnswerTaker | undefined;
  /** Tells the driver that the connection is ready, with the state of its transaction. */
  ready(status: string): void;
}

const [BIND_COMPLETE, COMMAND_COMPLETE, DATA_ROW, READY_FOR_QUERY] = [0x32, 0x43, 0x44, 0x5a];
const TAKEN: ReadonlySet<unknown> = new Set([BIND_COMPLETE, COMMAND_COMPLETE, DATA_ROW, READY_FOR_QUERY]);
/** The type of a message, and its length, which counts itself. */
const HEADER = 5;
/** Of a text of rows; what a socket gives at once is less. V8 has no text of half a gigabyte, and a long column is read by itself. */
const LONGEST = 1_048_576;

const endOf = (bytes: Buffer, at: number): number => at + 1 + bytes.readUInt32BE(at + 1);

/**
 * Stands between a socket and the driver's reader, and hands the answers of some queries to whoever reads them from their bytes: the
 * driver makes a text of each column, a list and a message of each row, and looks up who is told of each message.
 */
export class RowGate {
  readonly #gate: Gate;
  /** Pieces of a message that is not whole, how many bytes they are, and how many it takes to go on. */
  #pieces: Buffer[] = [];
  #size = 0;
  #needed = HEADER;
  /** Until the connection is ready for the next query. */
  #taker: AnswerTaker | 'driver' | undefined;

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
      const past = this.#mayTake(bytes[at]) ? this.#taken(bytes, given, at, end) : undefined;
      if (past !== undefined) given = past;
      at = past ?? end;
    }
    if (at < bytes.length) this.#keep(bytes.subarray(at));
    this.#pass(bytes, given, at);
  }

  /** Whether a message of this type is for a taker, if there is one. */
  #mayTake(type: number | undefined): boolean {
    if (this.#taker !== 'driver') return TAKEN.has(type);
    if (type === READY_FOR_QUERY) this.#taker = undefined;
    return false;
  }

  /** Where the next message begins; undefined where the driver reads this one, and what is before it from `given` on. */
  #taken(bytes: Buffer, given: number, at: number, end: number): number | undefined {
    const type = bytes[at];
    // What comes before an answer decides whose it is.
    this.#pass(bytes, given, at);
    const taker = (this.#taker ??= this.#gate.taker() ?? 'driver');
    if (taker === 'driver') {
      this.#pass(bytes, at, end);
      if (type === READY_FOR_QUERY) this.#taker = undefined;
      return end;
    }
    if (type === DATA_ROW) return takeRows(taker, bytes, at);
    if (type === COMMAND_COMPLETE) taker.takeEnd(bytes, at, end);
    if (type === READY_FOR_QUERY) {
      this.#taker = undefined;
      this.#gate.ready(String.fromCharCode(bytes[at + HEADER] as number));
    }
    return end;
  }

  #pass(bytes: Buffer, from: number, to: number): void {
    if (from < to) this.#gate.pass(bytes.subarray(from, to));
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

/** All rows that are whole, of which one text is made; answers where they end. */
function takeRows(taker: AnswerTaker, bytes: Buffer, start: number): number {
  let end = start;
  while (end + HEADER <= bytes.length && bytes[end] === DATA_ROW) {
    const past = endOf(bytes, end);
    if (past > bytes.length) break;
    end = past;
  }
  const texts = end - start > LONGEST ? undefined : bytes.toString('latin1', start, end);
  const rows = { bytes, texts, start };
  for (let at = start; at < end; at = endOf(bytes, at)) taker.takeRow(rows, at);
  return end;
}
