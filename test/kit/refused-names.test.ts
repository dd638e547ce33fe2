import type { Logger } from '@mikro-orm/core';
import { expect, it } from '@jest/globals';
import { type Answer, StatementSender } from '../../src/kit/orm/statement-sender.ts';
import type { SentQuery } from '../../src/kit/orm/statement-binder.ts';

const QUERY = { name: 'shelf', text: 'select * from shelf', values: [] };
const STALE = Object.assign(new Error('cached plan must not change result type'), {
  code: '0A000',
  routine: 'RevalidateCachedQuery',
});

/** A session of the server that refuses named statements so many times. */
function sessionThat(refuses: number) {
  const sent: (string | undefined)[] = [];
  const warned: string[] = [];
  const byPool = <Row>({ name }: SentQuery): Promise<Answer<Row>> => {
    sent.push(name);
    // The guard: what is sent for ever would be a test that does not end.
    if (sent.length > 50) return Promise.reject(new Error('sent for ever'));
    return name !== undefined && sent.length <= refuses
      ? Promise.reject(STALE)
      : Promise.resolve({ rows: [] });
  };
  const logger = { warn: (_: string, message: string) => warned.push(message) } as unknown as Logger;
  return { sent, warned, sender: new StatementSender({ logger, isNaming: true, byPool }) };
}

it('sends a statement under a new name after a change of its table, and keeps names', async () => {
  const { sent, warned, sender } = sessionThat(1);
  for (let n = 0; n < 2; n += 1) await sender.send(QUERY, undefined);
  expect(sent).toEqual(['shelf', 'shelf_1', 'shelf_1']);
  expect(warned).toEqual([]);
});

it('sends it without a name where a pooler takes all names of one text for one', async () => {
  const { sent, warned, sender } = sessionThat(Infinity);
  for (let n = 0; n < 2; n += 1) expect(await sender.send(QUERY, undefined)).toEqual({ rows: [] });
  expect(sent.slice(-2)).toEqual([undefined, undefined]);
  expect(sent.length).toBeLessThan(10);
  expect(warned).toEqual([expect.stringContaining('pooler')]);
});
