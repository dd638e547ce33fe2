import { type Directive, directivesIn, syntaxError } from '../directive.ts';
import { targetsOf } from '../directive-target.ts';
import type { ParsedMigration, Statement } from '../parsed-migration.ts';
import { transactionControl } from '../transaction-control.ts';
import { readBackfill, readVerify } from './directive.ts';
import { problemOfBatch, problemOfVerification } from './statement-form.ts';

/**
 * Gives the statements of a parsed file the directives that stand above them.
 *
 * @throws MigrationSyntaxError for a directive that is wrong, or stands where it means nothing.
 */
export function withBackfills<T extends ParsedMigration>(file: string, text: string, parsed: T): T {
  const directives = directivesIn(text).filter(({ word }) => word === 'backfill' || word === 'verify');
  const [first] = directives;
  if (!first) return parsed;
  if (parsed.transactional)
    throw syntaxError(
      file,
      first,
      'A back-fill commits batch by batch. Write "-- +goose NO TRANSACTION" at the top.',
    );
  const targets = targetsOf(file, directives, [...parsed.up, ...(parsed.down ?? [])]);
  const attach = (statements: readonly Statement[]): Statement[] => {
    const attached = statements.map((statement) => attachOne(file, statement, targets.get(statement)));
    refuseParts(file, attached, (index) => targets.get(statements[index] as Statement));
    return attached;
  };
  return { ...parsed, up: attach(parsed.up), down: parsed.down && attach(parsed.down) };
}

function attachOne(file: string, statement: Statement, at: Directive | undefined): Statement {
  if (!at) return statement;
  const directive = at.word === 'backfill' ? readBackfill(file, at) : readVerify(file, at);
  const problem =
    directive.kind === 'backfill' ? problemOfBatch(statement.text) : problemOfVerification(statement.text);
  if (problem) throw syntaxError(file, { line: statement.line, column: 1 }, problem);
  return { ...statement, directive };
}

/** A back-fill and the verifications right below it are one step, and none of them means anything without the others. */
function refuseParts(
  file: string,
  statements: readonly Statement[],
  directiveAt: (index: number) => Directive | undefined,
): void {
  let isOpen = false;
  for (const [index, { text, directive }] of statements.entries()) {
    for (const { effect } of transactionControl(text))
      isOpen = effect === 'neither' ? isOpen : effect === 'opens';
    const at = directiveAt(index);
    if (!directive || !at) continue;
    if (isOpen)
      throw syntaxError(
        file,
        at,
        'A back-fill commits batch by batch. Move it out of the transaction that is open here.',
      );
    if (directive.kind === 'verify' && !statements[index - 1]?.directive)
      throw syntaxError(file, at, 'A verification stands right below its back-fill. Move it there.');
    if (directive.kind === 'backfill' && !isVerified(verificationsOf(statements, index)))
      throw syntaxError(
        file,
        at,
        'A back-fill is verified in both directions. Write below it "-- +tombstone verify missing" and "-- +tombstone verify unexpected" with a SELECT each, or one "-- +tombstone verify different".',
      );
  }
}

/** The statements with which the back-fill at this place is verified. */
export function verificationsOf<T extends Pick<Statement, 'directive'>>(
  statements: readonly T[],
  backfill: number,
): T[] {
  const behind = statements.slice(backfill + 1);
  const end = behind.findIndex(({ directive }) => directive?.kind !== 'verify');
  return end < 0 ? behind : behind.slice(0, end);
}

function isVerified(verifications: readonly Statement[]): boolean {
  const sides = new Set(verifications.map(({ directive }) => directive?.kind === 'verify' && directive.side));
  return sides.has('different') || (sides.has('missing') && sides.has('unexpected'));
}
