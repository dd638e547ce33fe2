import { connect, createServer, type Server, type Socket } from 'node:net';

/** A way to a server that can break as networks and machines do. */
export interface Relay {
  /** The server's URL, by this way. */
  readonly url: string;
  /** From now on nothing comes through, in either direction, and nobody is told. */
  freeze(): void;
  /** Everything open ends at once, and nobody is let in. */
  cut(): Promise<void>;
  /** As it was at first. */
  mend(): Promise<void>;
  stop(): Promise<void>;
}

/** Opens a way to the server of `url` on a port of this machine. */
export async function openRelay(url: string): Promise<Relay> {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  let isFrozen = false;
  const follow = (socket: Socket, other: Socket): void => {
    sockets.add(socket);
    socket.on('data', (chunk) => !isFrozen && other.write(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sockets.delete(socket);
      other.destroy();
    });
  };
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    follow(near, far);
    follow(far, near);
  });
  await listen(server, 0);
  const own = (server.address() as { port: number }).port;
  const cut = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  const byThisWay = new URL(url);
  byThisWay.hostname = '127.0.0.1';
  byThisWay.port = String(own);
  return {
    url: byThisWay.href,
    freeze: () => void (isFrozen = true),
    cut,
    mend: async () => {
      isFrozen = false;
      if (!server.listening) await listen(server, own);
    },
    stop: cut,
  };
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve);
  });
}
