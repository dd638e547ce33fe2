import { MigrationError } from './errors.ts';
import type { Statement } from './parsed-migration.ts';
import type { Place, Substitution } from './references.ts';
import { transactionControl } from './transaction-control.ts';
import { referenceAt, type Variable } from './variable.ts';

/** Where the values of `-- +goose ENVSUB ON` come from. The engine itself never reads the environment. */
export interface Variables {
  /** The value, or undefined for a variable that is not set. */
  lookup(name: string): string | undefined;
  /** What an unset variable without default becomes. Default `error`; goose takes an empty text. */
  readonly unset?: 'error' | 'empty';
  /** Lets a value stand outside quotes although it is no plain word or number. Default false. */
  readonly allowRaw?: boolean;
}

const NO_VARIABLES: Variables = { lookup: () => undefined };
const WORD = /^(?:[A-Za-z_][\w$]*(?:\.[A-Za-z_][\w$]*)*|-?\d+(?:\.\d+)?)$/;

/**
 * The statements with the values of their variables. Quotes around a reference decide how its value is quoted, so a value
 * can never end the literal or the name in which it stands.
 *
 * @throws MigrationError `MIGRATION.VARIABLE` with file, line and the variable's name, never with its value.
 */
export function substitute(
  file: { readonly name: string; readonly transactional: boolean },
  statements: readonly Statement[],
  variables: Variables = NO_VARIABLES,
): Statement[] {
  return statements.map((statement) => {
    if (!statement.substitutions) return statement;
    let text = '';
    let at = 0;
    for (const each of statement.substitutions) {
      const refuse = (problem: string): never => {
        const line = statement.line + lines(statement.text.slice(0, each.start));
        throw new MigrationError('MIGRATION.VARIABLE', `${file.name}:${line}: ${problem}`, file.name, {
          line,
        });
      };
      text += statement.text.slice(at, each.start) + textOf(each, variables, refuse);
      at = each.end;
    }
    text += statement.text.slice(at);
    if (file.transactional && variables.allowRaw && transactionControl(text).length > 0)
      throw new MigrationError(
        'MIGRATION.VARIABLE',
        `${file.name}:${statement.line}: A value brings a COMMIT or its like into this statement. Correct the variable.`,
        file.name,
        { line: statement.line },
      );
    const { line, directive } = statement;
    return { text, line, written: statement.text, ...(directive && { directive }) };
  });
}

type Refuse = (problem: string) => never;

function textOf({ variable, place, fence }: Substitution, variables: Variables, refuse: Refuse): string {
  if (variable === '$') return '$';
  const text = expand(variable, place, variables, refuse);
  if (fence !== undefined && text.includes(fence))
    refuse(`The value of ${variable.name} contains ${fence}. Give the body another dollar quote.`);
  return text;
}

function expand(variable: Variable, place: Place, variables: Variables, refuse: Refuse): string {
  const { name, operator, word } = variable;
  const value = variables.lookup(name);
  const isMissing = value === undefined || (value === '' && operator.startsWith(':') && operator !== ':');
  if (!isMissing) return quoted(name, sliced(value, variable), place, variables, refuse);
  if (operator === '-' || operator === ':-') return defaultOf(word, place, variables, refuse);
  if (operator === '?' || operator === ':?')
    return refuse(`${name} is required: ${word || 'it has no value'}. Set it in the environment.`);
  if (variables.unset === 'empty') return '';
  return refuse(`The variable ${name} is not set. Set it in the environment, or write \${${name}:-default}.`);
}

/** The default is the author's own text, with references of its own. */
function defaultOf(word: string, place: Place, variables: Variables, refuse: Refuse): string {
  let text = '';
  for (let at = 0; at < word.length;) {
    const reference = word[at] === '$' ? referenceAt(word, at) : undefined;
    text += reference ? '' : word[at];
    if (reference && reference.variable !== '$') text += expand(reference.variable, place, variables, refuse);
    at = reference?.end ?? at + 1;
  }
  return text;
}

function sliced(value: string, { slice }: Variable): string {
  if (!slice) return value;
  const characters = Array.from(value);
  const start = slice[0] < 0 ? Math.max(0, characters.length + slice[0]) : slice[0];
  return characters.slice(start, slice[1] === undefined ? undefined : start + slice[1]).join('');
}

function quoted(name: string, value: string, place: Place, variables: Variables, refuse: Refuse): string {
  if (value.includes('\0')) refuse(`The value of ${name} contains U+0000. Correct the variable.`);
  if (place === 'identifier') return value.replaceAll('"', '""');
  if (place === 'escape identifier') return value.replaceAll('\\', '\\\\').replaceAll('"', '""');
  if (place === 'literal') return value.replaceAll("'", "''");
  if (place === 'escape') return value.replaceAll('\\', '\\\\').replaceAll("'", "''");
  if (variables.allowRaw || WORD.test(value)) return value;
  return refuse(
    `The value of ${name} is no plain word or number. Put '…' or "…" around the reference, or allow raw values.`,
  );
}

function lines(text: string): number {
  return text.split('\n').length - 1;
}
