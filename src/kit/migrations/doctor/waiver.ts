import type { TableFacts } from './facts.ts';
import type { DoctorFinding } from './rule.ts';

/** A rule that a schema breaks on purpose. Each place is named, so that a new one is found. */
export interface DoctorWaiver {
  readonly rule: string;
  /** As findings print them. */
  readonly about: readonly string[];
  readonly reason: string;
}

/** A finding that a waiver has lifted, and why. */
export interface WaivedFinding {
  readonly rule: string;
  readonly about: string;
  readonly reason: string;
}

/** Rules about waivers, which no waiver lifts. */
export const WAIVER_RULES = {
  D001: {
    severity: 'error',
    sentence: 'A waiver says why, or the next reader cannot judge it.',
    alternative: 'Give it a reason.',
  },
  D002: {
    severity: 'error',
    sentence: 'This waiver waives nothing.',
    alternative: 'Remove it, or correct its rule and what it is about.',
  },
} as const;

/** Rules whose findings name no table. */
const ABOUT_CODE = new Set(['D501', 'D601', 'D602']);

/**
 * Takes out what is waived, and adds what is wrong with the waivers. One about a table that is not there is left alone: its
 * migration is pending.
 */
export function afterWaivers(
  found: readonly DoctorFinding[],
  waivers: readonly DoctorWaiver[],
  tables: Iterable<TableFacts>,
): { findings: DoctorFinding[]; waived: WaivedFinding[] } {
  const each = waivers.flatMap(({ rule, about, reason }) =>
    about.map((one) => ({ rule, about: one, reason })),
  );
  const isOf = (finding: DoctorFinding) => (waiver: WaivedFinding) =>
    waiver.rule === finding.rule && waiver.about === finding.about;
  const withReason = each.filter(({ reason }) => reason.trim() !== '');
  const known = [...tables].map(({ shown }) => shown);
  const isPending = ({ rule, about }: WaivedFinding): boolean =>
    !ABOUT_CODE.has(rule) && !known.some((table) => about === table || about.startsWith(`${table}.`));
  return {
    findings: [
      ...found.filter((finding) => !withReason.some(isOf(finding))),
      ...each.filter(({ reason }) => reason.trim() === '').map((waiver) => wrong('D001', waiver)),
      ...withReason
        .filter((waiver) => !found.some((finding) => isOf(finding)(waiver)))
        .filter((waiver) => !isPending(waiver))
        .map((waiver) => wrong('D002', waiver)),
    ],
    waived: withReason.filter((waiver) => found.some((finding) => isOf(finding)(waiver))),
  };
}

function wrong(rule: keyof typeof WAIVER_RULES, waiver: WaivedFinding): DoctorFinding {
  return { rule, ...WAIVER_RULES[rule], about: `${waiver.rule} ${waiver.about}`, sql: [] };
}
