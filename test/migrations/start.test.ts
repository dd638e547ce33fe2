import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { migrateOnStart, type StartResult } from 'tombstone/migrations';
import { run } from '../support/command.ts';
import { refusal, setup } from './fixtures/shop.ts';

const CHILD = join(import.meta.dirname, 'start-child.ts');
const NOWHERE = 'postgresql://127.0.0.1:1/nowhere';

describe('migrateOnStart', () => {
  it('does not even connect unless a mode asks for it, and takes a misspelt mode for a mistake', async () => {
    const { folder } = await setup();
    const options = { connection: NOWHERE, modules: [folder] };
    for (const mode of [undefined, '', 'off'])
      expect(await migrateOnStart({ ...options, mode })).toEqual({ mode: 'off', applied: [] });
    await expect(migrateOnStart({ ...options, mode: 'aply' })).rejects.toThrow(
      /"aply".*off, verify, wait, apply/,
    );
    expect(await refusal(migrateOnStart({ ...options, mode: 'apply' }))).toMatchObject({
      code: 'MIGRATION.UNREACHABLE',
    });
  });

  it('verify fails when something is pending or edited, and writes nothing', async () => {
    const { url, folder, migrator, tables } = await setup();
    const verify = (): Promise<StartResult> =>
      migrateOnStart({ connection: url, modules: [folder], mode: 'verify' });
    expect(await refusal(verify())).toMatchObject({
      code: 'MIGRATION.PENDING',
      file: 'shop/001_items.sql',
      message: expect.stringContaining('3 files'),
    });
    expect(await tables()).toEqual([]);
    await migrator().up();
    expect(await verify()).toEqual({ mode: 'verify', applied: [] });
    folder.write('003_rows.sql', 'select 1;');
    expect(await refusal(verify())).toMatchObject({ code: 'MIGRATION.CHECKSUM_MISMATCH' });
  });

  it('lets many processes start at once: every file is applied once, and all see all of them', async () => {
    const { url, folder, names } = await setup();
    const start = (mode: string): ReturnType<typeof run> =>
      run([CHILD], { TARGET: url, FOLDER: folder.migrations, MODE: mode });
    const ended = await Promise.all(['wait', 'apply', 'apply', 'wait', 'apply', 'wait'].map(start));
    expect(ended.map(({ code, err }) => [code, err])).toEqual(ended.map(() => [0, '']));
    const applied = ended.flatMap(({ out }) => (JSON.parse(out) as StartResult).applied);
    expect(applied.toSorted()).toEqual(await names());
    expect(applied).toHaveLength(3);
  }, 60_000);

  it('wait tells what is pending, ends when another has applied it, and writes nothing itself', async () => {
    const { url, folder, migrator, tables } = await setup();
    const seen: unknown[] = [];
    let hasLooked = (): void => undefined;
    const looked = new Promise<void>((resolve) => (hasLooked = resolve));
    const waiting = migrateOnStart({
      connection: url,
      modules: [folder],
      mode: 'wait',
      waitPollMs: 10,
      onPending: (pending) => {
        seen.push(pending?.length);
        hasLooked();
      },
    });
    await looked;
    expect(await tables()).toEqual([]);
    await migrator().up();
    expect(await waiting).toEqual({ mode: 'wait', applied: [] });
    expect(seen[0]).toBe(3);
  });

  it('wait ends with what is pending when its time is over, at once for an edited file, and when told to stop', async () => {
    const { url, folder, migrator } = await setup();
    const wait = (options: object = {}): Promise<StartResult> =>
      migrateOnStart({ connection: url, modules: [folder], mode: 'wait', waitPollMs: 10, ...options });
    expect(await refusal(wait({ waitTimeoutMs: 30 }))).toMatchObject({ code: 'MIGRATION.PENDING' });
    expect(await refusal(wait({ connection: NOWHERE, waitTimeoutMs: 30 }))).toMatchObject({
      code: 'MIGRATION.UNREACHABLE',
    });
    const stop = new AbortController();
    const stopped = wait({ signal: stop.signal });
    stop.abort(new Error('told to stop'));
    await expect(stopped).rejects.toThrow(/told to stop|aborted/);
    await migrator().up({ to: '2' });
    folder.write('001_items.sql', 'select 1;');
    expect(await refusal(wait())).toMatchObject({ code: 'MIGRATION.CHECKSUM_MISMATCH' });
  });
});
