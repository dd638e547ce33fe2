import { MigrationError } from '../errors.ts';
import { type Side, SIDES } from './directive.ts';
import type { BackfillRow, Differences } from './ledger.ts';

/** A back-fill went through its table, and the copy is not what it should be. The file stays unfinished. */
export class BackfillUnverifiedError extends MigrationError {
  override readonly name = 'BackfillUnverifiedError';
  /** How many rows differ, by side. */
  readonly differences: Differences;

  constructor(file: string, line: number, differences: Differences) {
    super(
      'MIGRATION.BACKFILL_UNVERIFIED',
      `${file}:${line}: the back-fill is not verified: ${describeDifferences(differences)}. ` +
        'Correct the data or the statement, then run "migrate up" again: it goes through the table once more and verifies again.',
      file,
      { line, differences },
    );
    this.differences = differences;
  }
}

/** Only what differs, such as `3 rows missing, 1 row unexpected`. */
export function describeDifferences(differences: Differences): string {
  const count = (side: Side): string =>
    `${differences[side]} ${differences[side] === 1 ? 'row' : 'rows'} ${side}`;
  return SIDES.filter((side) => differences[side] > 0)
    .map(count)
    .join(', ');
}

/** Somebody has paused the back-fill. */
export function paused({ filename, passRows }: Pick<BackfillRow, 'filename' | 'passRows'>): MigrationError {
  return new MigrationError(
    'MIGRATION.BACKFILL_PAUSED',
    `The back-fill of ${filename} is paused; ${passRows} rows of this pass are done and stay done. ` +
      `Run "migrate backfill resume ${filename}", then "migrate up": it goes on behind them.`,
    filename,
    { passRows },
  );
}
