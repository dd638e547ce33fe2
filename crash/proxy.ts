import { createServer, connect, type Socket } from 'node:net';

/** A stretch of network between a client and the server, which can break. */
export interface Proxy {
  /** The server's URL with the proxy's port in it. */
  readonly url: string;
  /** Breaks every connection at once, in the middle of whatever it carries. */
  cut(): void;
  /** Carries nothing any more and says so to nobody, as when the client's host has lost its power. */
  freeze(): void;
  close(): Promise<void>;
}

/** Starts a proxy on a free port in front of the server of the URL. */
export async function startProxy(url: string): Promise<Proxy> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let isFrozen = false;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        if (!isFrozen) other.destroy();
      });
      socket.pipe(other);
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const own = new URL(url);
  own.hostname = '127.0.0.1';
  own.port = String(typeof address === 'object' && address ? address.port : 0);
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const freeze = (): void => {
    isFrozen = true;
    for (const socket of sockets) socket.unpipe();
  };
  const close = async (): Promise<void> => {
    cut();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  };
  return { url: own.href, cut, freeze, close };
}
