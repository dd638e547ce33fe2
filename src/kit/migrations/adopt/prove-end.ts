import { describeSchema } from '../drift/description.ts';
import { describeDifference, differenceOf } from '../drift/difference.ts';
import { MigrationError } from '../errors.ts';
import type { Session } from '../session.ts';
import type { Adoption } from './adoption.ts';
import { expectedBeside, type Inspection } from './inspect.ts';
import { isAccepted } from './judge.ts';
import type { Timeline } from './timeline.ts';

/**
 * Compares the catalogue with what the files make, after the last step: nothing may be missing or otherwise but for what is
 * accepted in another form, and what a contract step will take away.
 *
 * @throws MigrationError `MIGRATION.ADOPTION`
 */
export async function proveEnd(
  session: Session,
  timeline: Timeline,
  { waiting }: Inspection,
  adoptions: readonly Adoption[],
): Promise<void> {
  const expected = expectedBeside(timeline, waiting);
  const accepted = adoptions.flatMap((adoption) => adoption.accepted);
  const wrong = differenceOf(expected, await describeSchema(session)).filter(
    (each) =>
      each.expected !== undefined && !(each.actual !== undefined && isAccepted(each, each.actual, accepted)),
  );
  if (wrong.length === 0) return;
  throw new MigrationError(
    'MIGRATION.ADOPTION',
    `Every step was taken, and ${wrong.length} objects are not as the files make them. Somebody else has changed the schema meanwhile, or this is a defect: run again, and report it with this list.\n${wrong.map(describeDifference).join('\n')}`,
    undefined,
    { objects: wrong.map(({ kind, name }) => `${kind} ${name}`) },
  );
}
