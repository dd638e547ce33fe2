import type { EventEmitter } from 'node:events';
import { type AddressInfo, connect, createServer as listenPlain, type Server } from 'node:net';
import { createServer as listenSecure, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { runPrepared } from 'tombstone';
import { emptyTestDatabase } from '../support/database.ts';
import { openLibrary } from './fixtures/library.ts';

// The driver reads a connection with TLS from another stream than the one that it has opened. By a key that both sides know, so that
// no certificate is needed.

const KEY = Buffer.alloc(16, 7);
const CIPHERS = { ciphers: 'PSK-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const;

let url: string;
let way: Server;
let port: number;
let secured = 0;

beforeAll(async () => {
  ({ url } = await emptyTestDatabase());
  const { hostname, port: server } = new URL(url);
  const secure = listenSecure({ ...CIPHERS, pskCallback: () => KEY }, (socket: TLSSocket) => {
    secured += 1;
    const on = connect(Number(server), hostname);
    socket.pipe(on).pipe(socket);
    for (const end of [socket, on]) end.on('error', () => undefined);
  });
  way = listenPlain((socket) => {
    socket.on('error', () => undefined);
    // The request for TLS, behind whose answer TLS begins.
    socket.once('data', () => {
      socket.write('S');
      secure.emit('connection', socket);
    });
  });
  await new Promise<void>((resolve) => {
    way.listen(0, '127.0.0.1', resolve);
  });
  ({ port } = way.address() as AddressInfo);
});
afterAll(() => void way.close());

it('reads rows before the driver on a connection with TLS, too', async () => {
  const library = await openLibrary({ url, pool: { min: 0, max: 1 } });
  const through = new URL(url);
  through.port = String(port);
  const pskCallback = () => ({ psk: KEY, identity: 'library' });
  const ssl = { ...CIPHERS, pskCallback, checkServerIdentity: () => undefined };
  const own = await openLibrary({ url: through.href, pool: { min: 0, max: 1 }, driverOptions: { ssl } });
  const pool = await own.em().getConnection().getNativeClient();
  const client = await pool.connect();
  const read: string[] = [];
  const { connection } = client as unknown as { connection: EventEmitter };
  for (const name of ['rowDescription', 'dataRow']) connection.on(name, () => read.push(name));
  client.release();
  const many = {
    name: 'kit_secured',
    text: `select n, repeat('é', 500) as text from generate_series(1, $1::int) n`,
  };
  for (let n = 0; n < 2; n += 1)
    expect(await runPrepared(own.em(), many, [500])).toEqual(await runPrepared(library.em(), many, [500]));
  expect(read).toEqual(['rowDescription']);
  expect(secured).toBeGreaterThan(0);
  await own.close();
  await library.close();
});
