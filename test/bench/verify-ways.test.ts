import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fillForComparison, sizeOf } from '../../bench/comparison/fill.ts';
import { type Ground, openGround } from '../../bench/comparison/ground.ts';
import { chosenLibraries, type LibraryFile } from '../../bench/comparison/libraries.ts';
import type { WorkloadName } from '../../bench/comparison/library.ts';
import { Member } from '../../bench/comparison/member.ts';
import { Verifier } from '../../bench/comparison/verify-ways.ts';
import { emptyTestDatabase } from '../support/database.ts';

const SIZE = sizeOf(0.1);
const CARELESS: LibraryFile = {
  name: 'careless',
  packages: [],
  isPeer: false,
  path: resolve(import.meta.dirname, 'fixtures/careless.ts'),
};
const WORKLOADS: readonly WorkloadName[] = [
  'W1',
  'W2',
  'W3',
  'W4',
  'W5',
  'W6',
  'W7',
  'W8',
  'cascade',
  'cascade-small',
  'restore',
  'restore-small',
  'purge',
];

let ground: Ground;
let verifier: Verifier;
const members = new Map<string, Member>();

beforeAll(async () => {
  const { url } = await emptyTestDatabase();
  await fillForComparison(url, SIZE);
  ground = await openGround(url, SIZE);
  for (const library of [...chosenLibraries(['mikro-plain', 'tombstone'], false), CARELESS])
    members.set(library.name, await Member.start(library, { url, size: 2 }));
  verifier = new Verifier(ground, members.get('pg') as Member);
}, 120_000);

afterAll(async () => {
  for (const member of members.values()) await member.stop();
  await ground.close();
});

describe('the verification of the libraries of the bench', () => {
  it.each(WORKLOADS)(
    '%s: passes libraries that do the work, and names one that does not',
    async (workload) => {
      const able = ['pg', 'mikro-plain', 'tombstone']
        .map((name) => ({ member: members.get(name) as Member, way: '' }))
        .filter(({ member }) => member.ready.ways[workload]);
      expect(able).toHaveLength(3);
      await verifier.verify(workload, able);
      const careless = { member: members.get('careless') as Member, way: '' };
      await expect(verifier.verify(workload, [careless])).rejects.toThrow(`careless does not do ${workload}`);
    },
  );

  it('says which library fails, and why', async () => {
    const member = members.get('tombstone') as Member;
    const request = { workload: 'W8', way: '', inputs: [{ userId: 'x' }], callers: 1, show: false } as const;
    await expect(member.run(request)).rejects.toThrow(/tombstone {2}?fails at W8/);
  });
});
