import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ClaimedSoraTask, completeSoraTask, type SoraTaskResult } from 'tombstone/gateway';
import { codeOf, soraOf } from '../support/gateway-sora.ts';
import { mustCreatePayer, type Payer, sumsOf, usageOf } from '../support/gateway-usage.ts';
import { type Gateway, mustCreateApiKey, openGateway } from '../support/gateway.ts';

/** Charges for tasks that a request id alone does not tell apart. */
let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

async function mustClaim(payer: Payer, taskId: string): Promise<ClaimedSoraTask> {
  const { soraTasks } = soraOf(gateway);
  await soraTasks.create({ taskId, accountId: payer.accountId, model: 'm', prompt: 'p' });
  const [task] = await soraTasks.claim({ worker: 'w', leaseMs: 3_600_000 });
  if (task?.taskId !== taskId) throw new Error('another task');
  return task;
}
const complete = (task: ClaimedSoraTask, payer: Payer) => {
  const result: SoraTaskResult = { resultUrls: [], media: 'image', usage: usageOf(payer) };
  return completeSoraTask(gateway.em(), task, result);
};
const logsOf = async (payer: Payer) => Number((await sumsOf(gateway.em(), payer)).logs);

describe('tasks whose ids differ by blanks only', () => {
  it('are each charged', async () => {
    const payer = await mustCreatePayer(gateway.em());
    for (const taskId of ['same', ' same', 'same\n', 'same\u00a0'])
      expect(await complete(await mustClaim(payer, taskId), payer)).toMatchObject({
        completed: true,
        usage: { inserted: true },
      });
    expect(await logsOf(payer)).toBe(4);
  });

  it('are charged once, also the one that has nothing else in it', async () => {
    const payer = await mustCreatePayer(gateway.em());
    const task = await mustClaim(payer, '  ');
    const calls = [await complete(task, payer), await complete(task, payer)];
    expect(calls.map(({ usage }) => usage.inserted)).toEqual([true, false]);
    expect(await logsOf(payer)).toBe(1);
  });
});

describe('a task that was completed', () => {
  it('is not charged again for another API key', async () => {
    const payer = await mustCreatePayer(gateway.em());
    const { id: apiKeyId } = await mustCreateApiKey(gateway.em(), { userId: payer.userId });
    const task = await mustClaim(payer, 'two keys');
    // At once, too: the second one waits for the task.
    const codes = await Promise.all(
      [payer, { ...payer, apiKeyId }].map((one) => codeOf(complete(task, one))),
    );
    expect(codes.toSorted()).toEqual(['SORA_TASK_CHARGED_OTHERWISE', 'done']);
    expect(await logsOf(payer)).toBe(1);
  });

  it('without a charge gets none by a call that repeats nothing', async () => {
    const payer = await mustCreatePayer(gateway.em());
    const task = await mustClaim(payer, 'ended alone');
    await soraOf(gateway).soraTasks.complete(task, []);
    expect(await codeOf(complete(task, payer))).toBe('SORA_TASK_CHARGED_OTHERWISE');
    expect(await logsOf(payer)).toBe(0);
  });
});
