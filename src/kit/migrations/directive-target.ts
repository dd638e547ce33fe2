import { type Directive, syntaxError } from './directive.ts';
import type { Statement } from './parsed-migration.ts';

/**
 * Finds the statement below each directive.
 *
 * @throws MigrationSyntaxError for a directive that stands where it means nothing.
 */
export function targetsOf(
  file: string,
  directives: readonly Directive[],
  statements: readonly Statement[],
): Map<Statement, Directive> {
  const targets = new Map<Statement, Directive>();
  for (const directive of directives) {
    const { line } = directive;
    const around = statements.some((each) => each.line <= line && line <= lastLineOf(each));
    if (around || directive.column !== 1)
      throw syntaxError(
        file,
        directive,
        'A directive stands on a line of its own, in column 1, above its statement.',
      );
    const target = statements.find((statement) => statement.line > line);
    if (!target || targets.has(target))
      throw syntaxError(
        file,
        directive,
        'There is no statement of its own below this directive. Move it above one.',
      );
    targets.set(target, directive);
  }
  return targets;
}

const lastLineOf = ({ text, line }: Statement): number => line + text.split('\n').length - 1;
