import type { Evidence } from '../evidence.ts';
import { type Deletion, type Kind, KINDS } from '../sightings.ts';
import type { Invariant } from './invariant.ts';

/** By kind and id: when the first deletion had begun, and when the first one was told to be done. */
export type Deaths = Map<string, { begun: number; told: number }>;

export const nameOf = (kind: Kind, id: string): string => `${kind} ${id}`;

export async function deathsOf({ rows, seen }: Evidence): Promise<{ deaths: Deaths; fromTheStart: number }> {
  const deaths: Deaths = new Map();
  const before = await rows<{ kind: Kind; id: string }>('select kind, id::text from load.dead');
  const note = ({ kind, id, begun, told }: Deletion): void => {
    const known = deaths.get(nameOf(kind, id)) ?? { begun, told };
    deaths.set(nameOf(kind, id), { begun: Math.min(begun, known.begun), told: Math.min(told, known.told) });
  };
  for (const { kind, id } of before) note({ kind, id, begun: 0, told: 0 });
  for (const { deletions } of seen) for (const deletion of deletions) note(deletion);
  return { deaths, fromTheStart: before.length };
}

/** Nothing is restored in a run, so a row that is deleted stays so. */
export const deadRows: Invariant = {
  name: 'dead rows',
  claim: 'No call that began after a deletion was told to be done has answered with the deleted row.',
  check: async (evidence) => {
    const { deaths, fromTheStart } = await deathsOf(evidence);
    let [rowsSeen, cameBack] = [0, 0];
    for (const { lastSeen } of evidence.seen) {
      for (const kind of KINDS) {
        for (const [id, begun] of lastSeen[kind]) {
          rowsSeen += 1;
          if (begun > (deaths.get(nameOf(kind, id))?.told ?? Number.POSITIVE_INFINITY)) cameBack += 1;
        }
      }
    }
    const askedForDead = evidence.seen.reduce((sum, one) => sum + one.askedForDead, 0);
    const deleted = evidence.seen.reduce((sum, one) => sum + one.deletions.length, 0);
    const numbers = { deadFromTheStart: fromTheStart, deleted, askedForDead, rowsSeen, cameBack };
    return { holds: cameBack === 0 && deleted > 0 && askedForDead > 0 && rowsSeen > 0, numbers };
  },
};

/** The other half: hiding every row would leak nothing. */
export const liveKeys: Invariant = {
  name: 'live keys',
  claim: 'No key was refused before its deletion had begun.',
  check: async (evidence) => {
    const { deaths } = await deathsOf(evidence);
    const refused = evidence.seen.flatMap(({ firstRefused }) => [...firstRefused]);
    const isEarly = ([id, ended]: [string, number]): boolean =>
      ended < (deaths.get(nameOf('apiKey', id))?.begun ?? Number.POSITIVE_INFINITY);
    const refusedTooEarly = refused.filter(isEarly).length;
    return {
      holds: refusedTooEarly === 0 && refused.length > 0,
      numbers: { keysRefused: refused.length, refusedTooEarly },
    };
  },
};
