import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Client, type ClientConfig } from 'pg';

/** So long after it was found silent the pool gets no new session there: whoever waits in its queue would begin to wait anew. */
const CLOSED_MS = 1000;

type Opener = (config?: unknown) => Duplex | undefined;

const silence = (): Error => new Error('Connection terminated: the server is silent.');

/** The sockets of one pool, those that are still connecting among them, which the pool itself does not show. */
export class OpenSockets {
  readonly #sockets = new Set<Duplex>();
  #open: Opener = () => new Socket();
  #knock: Promise<void> | undefined;
  #closedUntil = 0;

  /** For the option `stream` of a pool; `given` is the one that the program has set there, if it has. */
  opener(given: unknown): Opener {
    if (typeof given === 'function') this.#open = given as Opener;
    return (config) => {
      const socket = this.#open(config);
      if (!socket) return socket;
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      // Once it has begun to connect: before that, connecting would bring it back.
      if (performance.now() < this.#closedUntil) setImmediate(() => socket.destroy(silence()));
      return socket;
    };
  }

  /**
   * Closes all of them when the server lets no new session in within so many milliseconds: PostgreSQL's driver would wait for
   * its answers for ever.
   */
  async closeIfSilent(options: ClientConfig, withinMs: number): Promise<void> {
    this.#knock ??= this.#closeIfSilent(options, withinMs).finally(() => (this.#knock = undefined));
    return this.#knock;
  }

  async #closeIfSilent(options: ClientConfig, withinMs: number): Promise<void> {
    const asked = [...this.#sockets];
    // A pool hides its password from whoever copies its options.
    const { password } = options;
    const own = { ...options, ...(password !== undefined && { password }), stream: this.#open };
    if (await isThere({ ...own, connectionTimeoutMillis: withinMs })) return;
    this.#closedUntil = performance.now() + CLOSED_MS;
    // Those opened since then are asked about by whoever waits for them.
    for (const socket of asked) socket.destroy(silence());
  }
}

/** A refusal is an answer, too: a server that is full, or starting, ends its sessions by itself. */
async function isThere(options: ClientConfig): Promise<boolean> {
  const client = new Client(options);
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
