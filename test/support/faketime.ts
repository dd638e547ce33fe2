import { globSync } from 'node:fs';

/** Debian's libfaketime; without it a server has only the clock of its machine. */
export const FAKETIME = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')[0];

/** Says loudly what cannot be tested here. */
export function hasFaketime(): boolean {
  if (FAKETIME !== undefined) return true;
  process.stderr.write(
    '\nNOT TESTED: a rebuild under another clock. Install it: apt-get install libfaketime\n\n',
  );
  return false;
}
