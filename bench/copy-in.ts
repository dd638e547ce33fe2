import type { ClientBase } from 'pg';

/** What `pg` has for COPY in, and its types leave out. */
interface Wire {
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sync(): void;
}

/**
 * Sends rows by COPY ... FROM STDIN in the text format. A value is sent as its text, null as NULL; all rows go in one chunk.
 */
export function copyIn(
  client: ClientBase,
  text: string,
  rows: readonly (readonly unknown[])[],
): Promise<void> {
  const data = Buffer.from(rows.map(line).join(''));
  return new Promise((resolve, reject) => {
    let failure: Error | undefined;
    client.query({
      submit: (wire: Wire) => wire.query(text),
      handleCopyInResponse(wire: Wire) {
        wire.sendCopyFromChunk(data);
        wire.endCopyFrom();
      },
      handleCommandComplete() {},
      handleError: (error: Error) => {
        failure = error;
        reject(error);
      },
      handleReadyForQuery: () => {
        if (!failure) resolve();
      },
    } as never);
  });
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

function line(row: readonly unknown[]): string {
  return `${row.map(field).join('\t')}\n`;
}

function field(value: unknown): string {
  if (value === null || value === undefined) return '\\N';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.replace(/[\\\t\n\r]/g, (character) => ESCAPES[character] ?? '');
}
