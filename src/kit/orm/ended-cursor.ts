import type { PoolClient } from 'pg';

/** A cursor of `pg`, as far as Kysely uses it: without callbacks. */
export interface Cursor {
  submit(connection: unknown): void;
  read(rows: number): Promise<unknown[]>;
  close(): Promise<void>;
}

interface Session {
  readonly client: PoolClient;
  isEnded(): boolean;
  /** Ends the session when this error of it says that it takes no statement any more. */
  endIfOver(error: unknown): void;
}

/** Whether a statement is one; it reports its errors where it is read. */
export function isCursor(statement: unknown): statement is Cursor {
  // Asked for every statement, most of which are a text or an object without methods.
  const { submit, read, close } = (statement ?? {}) as Partial<Cursor>;
  return typeof submit === 'function' && typeof read === 'function' && typeof close === 'function';
}

/**
 * Lets the closing of a cursor end with its session. The cursor waits for the server to be ready again, and Kysely for the
 * cursor, so that without this a stream whose session has ended would neither fail nor give its connection back.
 */
export function endWithSession(cursor: Cursor, { client, isEnded, endIfOver }: Session): Cursor {
  const [read, close] = [cursor.read.bind(cursor), cursor.close.bind(cursor)];
  return Object.assign(cursor, {
    read: (rows: number) =>
      read(rows).catch((error: unknown) => {
        endIfOver(error);
        throw error;
      }),
    close: () => (isEnded() ? Promise.resolve() : closedOrEnded(client, close())),
  });
}

async function closedOrEnded(client: PoolClient, closed: Promise<void>): Promise<void> {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    client.once('end', (end = resolve));
  });
  try {
    await Promise.race([closed, ended]);
  } finally {
    client.removeListener('end', end);
  }
}
