import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { gatewayRepositories } from 'tombstone/gateway';
import { listenToStatements } from '../../src/kit/orm/index.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';
import { type Argument, SECRET } from '../support/sweep-arguments.ts';
import { sweepCalls } from '../support/sweep-calls.ts';
import { NO_SORA, SWEEP_OPTIONS } from '../support/sweep-sora-calls.ts';
import { methodsOf } from '../support/sweep-methods.ts';

const ROWS = {
  name: 'nobody',
  user: '1',
  other: '1',
  subscription: '1',
  group: '1',
  apiKey: '1',
  proxy: '1',
  definition: '1',
  account: '1',
  redeemCode: '1',
  redeemText: 'none',
  promoCode: '1',
  promoText: 'NONE',
  usageLog: '1',
  sora: NO_SORA,
};
const CALLS = sweepCalls(ROWS) as unknown as Record<string, Record<string, readonly Argument[]>>;

let gateway: Gateway;
let sent: number;
let stop: () => void;
beforeAll(async () => {
  gateway = await openGateway();
  // The first connection brings statements of its own.
  await gateway.rows('select 1');
  sent = 0;
  stop = listenToStatements(gateway.orm.config, () => (sent += 1));
});
afterAll(async () => {
  stop();
  await gateway.close();
});

/** What is wrong with the answer to a call that must be refused before any SQL; BEGIN is SQL, too. */
async function complaint(call: () => Promise<unknown>): Promise<string | undefined> {
  sent = 0;
  const error = await Promise.resolve()
    .then(call)
    .then(
      () => undefined,
      (reason: unknown) => reason as Error & { code?: string },
    );
  if (!error) return 'was not refused';
  // Some specified codes say the same of an input that is missing as a whole.
  if (error.code !== 'VALIDATION' && !String(error.code).endsWith('_NIL_INPUT'))
    return `was refused with ${String(error.code ?? error)}`;
  if (sent > 0) return `sent ${sent} statements first`;
  if ((JSON.stringify(error) + inspect(error, { depth: 9 })).includes(SECRET)) return 'shows the value';
  return undefined;
}

it('the sweep lists every method of every repository', () => {
  expect(Object.keys(CALLS).toSorted()).toEqual(Object.keys(gatewayRepositories(gateway.em())).toSorted());
  for (const [name, repository] of Object.entries(gatewayRepositories(gateway.em()))) {
    expect([name, Object.keys(CALLS[name] ?? {}).toSorted()]).toEqual([name, methodsOf(repository)]);
  }
});

describe.each(Object.entries(CALLS))('malformed input to %s', (name, calls) => {
  const cases = Object.entries(calls).filter(([, args]) =>
    args.some(({ malformed }) => malformed.length > 0),
  );

  it.each(cases)('.%s is refused with VALIDATION before any SQL, without its value', async (method, args) => {
    const complaints: string[] = [];
    for (const [position, argument] of args.entries()) {
      for (const malformed of argument.malformed) {
        const given = args.map(({ valid }, n) => (n === position ? malformed : valid));
        const wrong = await complaint(async () => {
          const repository = gatewayRepositories(gateway.em(), SWEEP_OPTIONS)[name as 'users'] as never;
          return (repository as Record<string, (...all: unknown[]) => Promise<unknown>>)[method]?.(...given);
        });
        if (wrong) complaints.push(`${inspect(malformed, { breakLength: Infinity })} ${wrong}`);
      }
    }
    expect(complaints).toEqual([]);
  });
});
