import { directivesIn } from '../directive.ts';

/** A loss that a file admits: `-- +tombstone loses=users.allowed_groups: the table holds each pair once`. */
export interface ExpectedLoss {
  readonly line: number;
  /** `table.column`, or `table.*`. */
  readonly what: string;
  readonly reason: string;
}

const LOSES = /^=\s*(\S*?):?(?:\s+(.*))?$/s;

/** The losses that a text admits. */
export function expectedLossesIn(text: string): ExpectedLoss[] {
  return directivesIn(text)
    .filter(({ word }) => word === 'loses')
    .map(({ rest, line }) => {
      const [, what = '', reason = ''] = LOSES.exec(rest) ?? [];
      return { line, what, reason: reason.trim() };
    });
}

/** Whether an admitted loss covers one that was found. */
export function covers({ what }: ExpectedLoss, loss: string): boolean {
  return what === loss || (what.endsWith('.*') && loss.startsWith(what.slice(0, -1)));
}
