import { connect, createServer, type Socket } from 'node:net';
import { Client } from 'pg';

/**
 * How a session ends: by `pg_terminate_backend`, with the statement still on its way; by a reset from the network; or by a
 * silence, in which nothing comes through any more and nobody is told.
 */
export type Break = 'terminate' | 'reset' | 'silence';

export const BREAKS: readonly Break[] = ['terminate', 'reset', 'silence'];

/** A way to the server on which one session ends when the program sends a given text. Sessions opened later are spared. */
export interface BreakingWay {
  /** The server's URL, by this way. */
  readonly url: string;
  /** Ends the session that sends `text` next, before the server has answered; {@link STARTUP} is the first message of all. */
  breakAt(text: string, how: Break): void;
  /** Whether the last break that was ordered has come. */
  isBroken(): boolean;
  stop(): Promise<void>;
}

/** A word of the first message that a client sends. */
export const STARTUP = 'client_encoding';

/** Opens a way to the database of `url`, whose other sessions it may end. */
export async function openBreakingWay(url: string): Promise<BreakingWay> {
  const admin = new Client({ connectionString: url });
  // The way of another test may end it.
  admin.on('error', () => undefined);
  await admin.connect();
  const sockets = new Set<Socket>();
  /** The program may learn of the end, and the test be over, before the answer to it is read here. */
  const endings: Promise<void>[] = [];
  const ended = (far: Socket): Promise<void> => {
    const ending = terminate(admin, far);
    endings.push(ending);
    return ending;
  };
  let ordered: { text: string; how: Break } | undefined;

  const forward = async (chunk: Buffer, near: Socket, far: Socket): Promise<void> => {
    if (!ordered || !chunk.includes(ordered.text)) return void far.write(chunk);
    const { text, how } = ordered;
    ordered = undefined;
    if (how === 'silence') return silence(near, far);
    if (how === 'reset') return void near.resetAndDestroy();
    if (text === STARTUP) return endOnceAnswered(chunk, near, far);
    await ended(far);
    far.write(chunk);
  };
  /** There is no session to end before the server has let it in. */
  const endOnceAnswered = (chunk: Buffer, near: Socket, far: Socket): void => {
    const end = async (answer: Buffer): Promise<void> => {
      far.pause();
      await ended(far);
      near.write(answer);
      far.on('data', (more) => near.write(more)).resume();
    };
    far.removeAllListeners('data').once('data', (answer: Buffer) => void end(answer));
    far.write(chunk);
  };
  const server = createServer((near) => {
    const far = connect(Number(new URL(url).port), new URL(url).hostname);
    near.on('data', (chunk: Buffer) => void forward(chunk, near, far));
    far.on('data', (chunk) => near.write(chunk));
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        other.end();
      });
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const byThisWay = new URL(url);
  byThisWay.hostname = '127.0.0.1';
  byThisWay.port = String((server.address() as { port: number }).port);
  return {
    url: byThisWay.href,
    breakAt: (text, how) => (ordered = { text, how }),
    isBroken: () => ordered === undefined,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await Promise.all(endings);
      await admin.end();
    },
  };
}

function silence(near: Socket, far: Socket): void {
  near.removeAllListeners('data').resume();
  far.removeAllListeners('data').resume();
}

/** The session whose client is this end of the way, and no other. */
async function terminate(admin: Client, far: Socket): Promise<void> {
  const { rowCount } = await admin.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where client_port = $1',
    [far.localPort],
  );
  if (rowCount !== 1) throw new Error(`${rowCount} sessions were ended instead of one.`);
}
