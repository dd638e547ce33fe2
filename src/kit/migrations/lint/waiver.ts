import { directivesIn } from '../directive.ts';

/** A rule that a file breaks on purpose: `-- +tombstone waive L304: no program reads it since release 12`. */
export interface Waiver {
  readonly line: number;
  readonly rule: string;
  readonly reason: string;
}

const WAIVER = /^(\S+?):?(?:\s+(.*))?$/s;

/** The waivers of a text. */
export function waiversIn(text: string): Waiver[] {
  return directivesIn(text)
    .filter(({ word }) => word === 'waive')
    .map(({ line, rest }) => {
      const [, rule = '', reason = ''] = WAIVER.exec(rest) ?? [];
      return { line, rule: rule.toUpperCase(), reason: reason.trim() };
    });
}
