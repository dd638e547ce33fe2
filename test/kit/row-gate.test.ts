import { expect, it } from '@jest/globals';
import { array, assert, constantFrom, nat, property, record, uint8Array } from 'fast-check';
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

/** What the driver and the takers of rows were given, one after the other, when every other query reads its rows itself. */
function given(chunks: readonly Buffer[]): string[] {
  const seen: string[] = [];
  let isTaken = true;
  const taker = {
    takeRow: ({ bytes, texts, start }: { bytes: Buffer; texts: string; start: number }, at: number): void => {
      const end = at + 1 + bytes.readUInt32BE(at + 1);
      expect(Buffer.from(texts, 'latin1').subarray(at - start, end - start)).toEqual(bytes.subarray(at, end));
      seen.push(`taken ${bytes.toString('hex', at, end)}`);
    },
  };
  const gate = new RowGate({
    taker: () => (isTaken ? taker : undefined),
    pass: (bytes) => {
      for (let at = 0; at < bytes.length;) {
        const end = at + 1 + bytes.readUInt32BE(at + 1);
        // Only whole messages.
        expect(end).toBeLessThanOrEqual(bytes.length);
        seen.push(`passed ${bytes.toString('hex', at, end)}`);
        if (bytes[at] === READY) isTaken = !isTaken;
        at = end;
      }
    },
  });
  for (const chunk of chunks) gate.take(chunk);
  return seen;
}

function expected(messages: readonly Message[]): string[] {
  let isTaken = true;
  return messages.map((message) => {
    const isRow = message.type === 'D';
    const line = `${isRow && isTaken ? 'taken' : 'passed'} ${bytesOf(message).toString('hex')}`;
    if (message.type === 'Z') isTaken = !isTaken;
    return line;
  });
}

const messages = array(
  record({ type: constantFrom('D', 'D', 'D', 'Z', 'C', '2', 'N'), body: uint8Array({ maxLength: 40 }) }),
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
