import { constants } from 'node:buffer';
import { expect, it } from '@jest/globals';
import { array, assert, constantFrom, nat, property, record, uint8Array } from 'fast-check';
import type { RowBytes } from '../../src/kit/orm/row-form.ts';
import { RowGate } from '../../src/kit/orm/row-gate.ts';

interface Message {
  readonly type: string;
  readonly body: Uint8Array;
}

const bytesOf = ({ type, body }: Message): Buffer => {
  const head = Buffer.from(`${type}\0\0\0\0`, 'latin1');
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};

const READY = 'Z'.charCodeAt(0);
const TAKEN = 'DC2Z';

/** What the driver and the takers of answers were given, one after the other, when every other query reads its answer itself. */
function given(chunks: readonly Buffer[]): string[] {
  const seen: string[] = [];
  let isTaken = true;
  const note = (how: string, bytes: Buffer, at: number): number => {
    const end = at + 1 + bytes.readUInt32BE(at + 1);
    // Only whole messages.
    expect(end).toBeLessThanOrEqual(bytes.length);
    seen.push(`${how} ${bytes.toString('hex', at, end)}`);
    return end;
  };
  const gate = new RowGate({
    taker: () =>
      isTaken
        ? { takeRow, takeEnd: (bytes, at, end) => expect(note('taken', bytes, at)).toBe(end) }
        : undefined,
    ready: (status) => {
      seen.push(`ready ${status.charCodeAt(0)}`);
      isTaken = !isTaken;
    },
    pass: (bytes) => {
      for (let at = 0; at < bytes.length;) {
        const end = note('passed', bytes, at);
        if (bytes[at] === READY) isTaken = !isTaken;
        at = end;
      }
    },
  });
  function takeRow({ bytes, texts, start }: RowBytes, at: number): void {
    const end = note('taken', bytes, at);
    expect(Buffer.from(texts ?? '', 'latin1').subarray(at - start, end - start)).toEqual(
      bytes.subarray(at, end),
    );
  }
  for (const chunk of chunks) gate.take(chunk);
  return seen;
}

function expected(sent: readonly Message[]): string[] {
  let isTaken = true;
  return sent.flatMap((message) => {
    const bytes = bytesOf(message).toString('hex');
    const isOwn = isTaken && TAKEN.includes(message.type);
    if (message.type === 'Z') isTaken = !isTaken;
    if (!isOwn) return `passed ${bytes}`;
    if (message.type === '2') return [];
    return message.type === 'Z' ? `ready ${message.body[0]}` : `taken ${bytes}`;
  });
}

const messages = array(
  record({
    type: constantFrom('D', 'D', 'D', 'Z', 'C', '2', 'N'),
    body: uint8Array({ minLength: 1, maxLength: 40 }),
  }),
  { maxLength: 30 },
);

it('gives each message to whom it is for, whole and in order, wherever the bytes are cut', () => {
  assert(
    property(messages, array(nat(60), { minLength: 1, maxLength: 20 }), (sent, lengths) => {
      const bytes = Buffer.concat(sent.map(bytesOf));
      const chunks: Buffer[] = [];
      for (let at = 0, n = 0; at < bytes.length; n += 1) {
        const end = at + 1 + (lengths[n % lengths.length] as number);
        chunks.push(bytes.subarray(at, end));
        at = end;
      }
      expect(given(chunks)).toEqual(expected(sent));
    }),
    { numRuns: 2000 },
  );
});

it('puts a long message together once', () => {
  const long = bytesOf({ type: 'D', body: new Uint8Array(300_000) });
  const chunks = Array.from({ length: Math.ceil(long.length / 64) }, (_, n) =>
    long.subarray(n * 64, n * 64 + 64),
  );
  const copied: number[] = [];
  const { concat } = Buffer;
  Buffer.concat = (list, size) => {
    const bytes = concat(list, size);
    copied.push(bytes.length);
    return bytes;
  };
  try {
    expect(given(chunks)).toHaveLength(1);
  } finally {
    Buffer.concat = concat;
  }
  expect(copied).toEqual([long.length]);
});

it('gives a row that is longer than any text of V8', () => {
  // Of two columns, say, each of which is one. Nothing is written to it, so that it takes no memory.
  const long = Buffer.alloc(constants.MAX_STRING_LENGTH + 64);
  long.write('D');
  long.writeUInt32BE(long.length - 1, 1);
  const seen: number[] = [];
  const fail = (): never => {
    throw new Error('is of the taker');
  };
  const gate = new RowGate({
    taker: () => ({ takeRow: ({ bytes }, at) => seen.push(bytes.length, at), takeEnd: fail }),
    ready: fail,
    pass: fail,
  });
  gate.take(long);
  expect(seen).toEqual([long.length, 0]);
});
