import { type EntityManager, MikroORM, defineEntity, p } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { type Server, createServer } from 'node:net';
import { inspect } from 'node:util';
import { Client } from 'pg';
import {
  TestServerError,
  createTemplate,
  createTestDatabase,
  startTestServer,
  withRollback,
} from '../../src/kit/testing/index.ts';
import { cloneTestDatabase, emptyTestDatabase, testServer } from '../support/database.ts';

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

async function refusal(work: Promise<unknown>): Promise<TestServerError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof TestServerError) return error;
  throw new Error(`a TestServerError was expected, not ${inspect(error)}`);
}

const unique = (kind: string): string => `tombstone_${kind}_${randomBytes(6).toString('hex')}`;
const exists = async (name: string): Promise<boolean> => {
  const server = await testServer();
  return (await query(server.url(), `select from pg_database where datname = '${name}'`)).length === 1;
};

describe('a server given by URL', () => {
  it('is used as it is, reports its version and survives stop', async () => {
    const url = (await testServer()).url();
    const server = await startTestServer({ url });
    expect(server.url()).toBe(url);
    expect(Number.parseInt(server.version, 10)).toBeGreaterThanOrEqual(14);
    expect(server).not.toHaveProperty('pid');
    await server.stop();
    await server.stop();
    expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('gives the URL of any database on it, whatever its name', async () => {
    const server = await startTestServer({ url: (await testServer()).url() });
    const name = unique('té st%"');
    const database = await createTestDatabase(server, { name });
    expect(await query(server.url(name), 'select current_database() as name')).toEqual([{ name }]);
    await database.drop();
    expect(await exists(name)).toBe(false);
  });

  it('that does not answer is refused without its password', async () => {
    const { code, message } = await refusal(
      startTestServer({ url: 'postgresql://me:s3cret@127.0.0.1:1/there' }),
    );
    expect(code).toBe('TESTING.UNREACHABLE');
    expect(message).toContain('127.0.0.1:1/there (ECONNREFUSED)');
    expect(message).not.toContain('s3cret');
  });

  it('with a database that is not there is refused with the SQLSTATE', async () => {
    const { code, message } = await refusal(startTestServer({ url: (await testServer()).url('not_there') }));
    expect(code).toBe('TESTING.UNREACHABLE');
    expect(message).toContain('3D000');
  });

  it.each(['not a url s3cret', 'http://me:s3cret@host/', 'postgresql://me:s3cret@host:port/'])(
    'that is not one (%s) is refused without being printed',
    async (url) => {
      const error = await refusal(startTestServer({ url }));
      expect(error.code).toBe('TESTING.UNREACHABLE');
      expect(inspect(error)).not.toContain('s3cret');
    },
  );

  it('older than 14 is refused with both versions', async () => {
    const { server, url } = await serverSaying('13.21');
    const { code, message } = await refusal(startTestServer({ url }));
    server.close();
    expect(code).toBe('TESTING.TOO_OLD');
    expect(message).toContain('PostgreSQL 13.21; 14 is the oldest');
  });
});

describe('createTestDatabase', () => {
  it('gives every caller a database of its own', async () => {
    const [one, two] = await Promise.all([cloneTestDatabase(), emptyTestDatabase()]);
    await query(one.url, 'create table only_here (id int)');
    expect(await query(two.url, "select to_regclass('only_here') as found")).toEqual([{ found: null }]);
  });

  it('prepares it, and drops it when that fails', async () => {
    const name = unique('test');
    const failing = createTestDatabase(await testServer(), {
      name,
      prepare: (url) => query(url, 'select broken').then(() => undefined),
    });
    await expect(failing).rejects.toMatchObject({ code: '42703' });
    expect(await exists(name)).toBe(false);
  });

  it('drops it although something is connected, and may drop it twice', async () => {
    const database = await emptyTestDatabase();
    const client = new Client({ connectionString: database.url });
    const cut = new Promise((resolve) => {
      client.on('error', resolve);
    });
    await client.connect();
    await database.drop();
    await cut;
    await database.drop();
    expect(await exists(database.name)).toBe(false);
  });

  it('never overwrites a database, and says what to do', async () => {
    const { name, url } = await emptyTestDatabase();
    await query(url, 'create table precious (id int)');
    const { code, message } = await refusal(createTestDatabase(await testServer(), { name }));
    expect(code).toBe('TESTING.DATABASE_FAILED');
    expect(message).toContain('42P04');
    expect(await query(url, 'select count(*)::int as n from precious')).toEqual([{ n: 0 }]);
  });

  it('refuses a name that the server would cut, and a template that is not there', async () => {
    const server = await testServer();
    const tooLong = await refusal(createTestDatabase(server, { name: 'é'.repeat(32) }));
    expect(tooLong.message).toContain('this one has 64');
    const missing = await refusal(createTestDatabase(server, { template: 'not_there' }));
    expect(missing.message).toMatch(/3D000.*createTemplate/);
  });
});

describe('createTemplate', () => {
  it('fills the template once, however many ask at the same time, and it can be copied at once', async () => {
    const server = await testServer();
    const name = unique('template');
    let times = 0;
    const fill = async (url: string): Promise<void> => {
      times += 1;
      await query(url, 'create table filled as select 7 as seven');
    };
    const [template] = await Promise.all([1, 2, 3].map(() => createTemplate(server, name, fill)));
    expect(times).toBe(1);
    const copies = await Promise.all([1, 2, 3, 4].map(() => createTestDatabase(server, { template: name })));
    for (const copy of copies) expect(await query(copy.url, 'table filled')).toEqual([{ seven: 7 }]);
    await expect(query(server.url(name), 'select 1')).rejects.toMatchObject({ code: '55000' });
    for (const database of [...copies, template]) await database?.drop();
    expect(await exists(name)).toBe(false);
  });

  it('leaves nothing when filling fails, and replaces what a killed run left half-filled', async () => {
    const server = await testServer();
    const name = unique('template');
    await expect(createTemplate(server, name, () => Promise.reject(new Error('no luck')))).rejects.toThrow(
      'no luck',
    );
    expect(await exists(name)).toBe(false);
    await query((await createTestDatabase(server, { name })).url, 'create table half (id int)');
    const template = await createTemplate(server, name, async () => {});
    const copy = await createTestDatabase(server, { template: name });
    expect(await query(copy.url, "select to_regclass('half') as found")).toEqual([{ found: null }]);
    await copy.drop();
    await template.drop();
  });
});

describe('withRollback', () => {
  const Note = defineEntity({ name: 'Note', properties: { id: p.integer().primary(), text: p.string() } });
  let orm: MikroORM;
  beforeAll(async () => {
    const { url } = await emptyTestDatabase();
    orm = await MikroORM.init({ clientUrl: url, entities: [Note] });
    await orm.schema.create();
  });
  afterAll(() => orm.close());

  const write = async (em: EntityManager, text: string): Promise<void> => {
    em.create(Note, { text });
    await em.flush();
  };
  const stored = (): Promise<number> => orm.em.fork().count(Note);

  it('lets the work see its own rows and returns its result, then undoes them', async () => {
    const seen = await withRollback(orm.em, async (em) => {
      await write(em, 'one');
      expect(await stored()).toBe(0);
      return em.fork({ keepTransactionContext: true }).count(Note);
    });
    expect(seen).toBe(1);
    expect(await stored()).toBe(0);
  });

  it('undoes a transactional inside, and a failed one inside undoes only itself', async () => {
    await withRollback(orm.em, async (em) => {
      await em.transactional((inner) => write(inner, 'kept until the end'));
      const failing = em.transactional(async (inner) => {
        await write(inner, 'undone');
        throw new Error('inner');
      });
      await expect(failing).rejects.toThrow('inner');
      expect(await em.fork({ keepTransactionContext: true }).find(Note, {})).toMatchObject([
        { text: 'kept until the end' },
      ]);
    });
    expect(await stored()).toBe(0);
  });

  it('passes on the failure of the work', async () => {
    const failing = withRollback(orm.em, async (em) => {
      await write(em, 'lost');
      throw new Error('the reason');
    });
    await expect(failing).rejects.toThrow('the reason');
    expect(await stored()).toBe(0);
  });

  it('passes on the failure of the work also when the connection is lost and the rollback fails too', async () => {
    const { url } = await emptyTestDatabase();
    // Never closed: a connection that is lost in a transaction does not come back to the pool, and close waits for it.
    const other = await MikroORM.init({ clientUrl: url, entities: [Note] });
    const failing = withRollback(other.em, (em) =>
      em
        .getConnection()
        .execute('select pg_terminate_backend(pg_backend_pid())', [], 'all', em.getTransactionContext()),
    );
    await expect(failing).rejects.toThrow('terminating connection');
  });
});

function frame(type: string, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(type), length, body]);
}

// A server that speaks just enough of the protocol: a really old one is not to be had here.
async function serverSaying(version: string): Promise<{ server: Server; url: string }> {
  const ready = frame('Z', Buffer.from('I'));
  const column = Buffer.from(
    '\0\x01server_version\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0',
    'latin1',
  );
  const row = Buffer.from(`\0\x01\0\0\0${String.fromCodePoint(version.length)}${version}`, 'latin1');
  const answer = [frame('T', column), frame('D', row), frame('C', Buffer.from('SHOW\0')), ready];
  const server = createServer((socket) => {
    socket.once('data', () => {
      socket.write(Buffer.concat([frame('R', Buffer.alloc(4)), ready]));
      socket.once('data', () => socket.write(Buffer.concat(answer)));
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return { server, url: `postgresql://me:s3cret@127.0.0.1:${port}/old` };
}
