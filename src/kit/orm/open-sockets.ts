import { Socket } from 'node:net';
import { Client, type ClientConfig } from 'pg';

/** So long a server may take to let a new session in. */
const KNOCK_MS = 2000;

/** The sockets of one pool, those that are still connecting among them, which the pool itself does not show. */
export class OpenSockets {
  readonly #sockets = new Set<Socket>();
  #knock: Promise<void> | undefined;

  /** For the option `stream` of a pool. */
  readonly open = (): Socket => {
    const socket = new Socket();
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  };

  /** Closes all of them when the server lets no new session in: PostgreSQL's driver would wait for its answers for ever. */
  async closeIfSilent(options: ClientConfig): Promise<void> {
    this.#knock ??= this.#closeIfSilent(options).finally(() => (this.#knock = undefined));
    return this.#knock;
  }

  async #closeIfSilent(options: ClientConfig): Promise<void> {
    const asked = [...this.#sockets];
    if (await isThere(options)) return;
    // Those opened since then are asked about by whoever waits for them.
    for (const socket of asked) socket.destroy(new Error('Connection terminated: the server is silent.'));
  }
}

/** A refusal is an answer, too: a server that is full, or starting, ends its sessions by itself. */
async function isThere(options: ClientConfig): Promise<boolean> {
  // The pool hides the password from whoever copies its options.
  const { password } = options;
  const client = new Client({
    ...options,
    ...(password !== undefined && { password }),
    stream: () => new Socket(),
    connectionTimeoutMillis: KNOCK_MS,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch (error) {
    return /^[0-9A-Z]{5}$/.test((error as { code?: string }).code ?? '');
  } finally {
    void client.end().catch(() => undefined);
  }
}
