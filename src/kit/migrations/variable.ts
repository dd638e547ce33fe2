/** A reference to a variable, as ENVSUB reads it. */
export interface Variable {
  readonly name: string;
  /**
   * What happens without a value: `${V}` is refused, `-` takes the default when it is unset, `:-` when it is unset or empty,
   * `?` and `:?` refuse with words of the author.
   */
  readonly operator: '' | '-' | ':-' | '?' | ':?' | ':';
  /** The default or the words, as written. */
  readonly word: string;
  /** Of `${V:offset:length}`. */
  readonly slice?: readonly [offset: number, length: number | undefined];
}

/** A piece of text that is a reference, or an escaped dollar sign. */
export interface Reference {
  readonly end: number;
  readonly variable: Variable | '$';
}

/** A reference that cannot be read. */
export class VariableSyntaxError extends Error {
  readonly start: number;

  constructor(start: number, problem: string) {
    super(problem);
    this.start = start;
  }
}

const PLAIN = /\$([A-Za-z][A-Za-z0-9_]*)/y;
const NAME = /[A-Za-z][A-Za-z0-9_]*/y;

/**
 * Reads the reference at a dollar sign, by the grammar of goose: `$V`, `${V}`, `${V:-d}`, `${V-d}`, `${V?w}`, `${V:0:4}`.
 *
 * @returns undefined where the sign means nothing: `$1` is a parameter, `$(` a text.
 * @throws VariableSyntaxError
 */
export function referenceAt(text: string, dollar: number): Reference | undefined {
  if (text[dollar + 1] !== '{') {
    PLAIN.lastIndex = dollar;
    const name = PLAIN.exec(text)?.[1];
    if (name === undefined) return undefined;
    return { end: dollar + 1 + name.length, variable: { name, operator: '', word: '' } };
  }
  NAME.lastIndex = dollar + 2;
  const name = NAME.exec(text)?.[0];
  if (name === undefined)
    throw new VariableSyntaxError(dollar, 'The name of a variable begins with a letter. Write ${NAME}.');
  const end = closingBrace(text, dollar);
  const rest = text.slice(dollar + 2 + name.length, end);
  return { end: end + 1, variable: expansionOf(name, rest, dollar) };
}

function closingBrace(text: string, dollar: number): number {
  let depth = 0;
  for (let at = dollar + 1; at < text.length && text[at] !== '\n'; at += 1) {
    if (text[at] === '{') depth += 1;
    if (text[at] === '}') depth -= 1;
    if (depth === 0) return at;
  }
  throw new VariableSyntaxError(dollar, 'This ${ has no } on its line. Write it.');
}

function expansionOf(name: string, rest: string, dollar: number): Variable {
  if (rest === '') return { name, operator: '', word: '' };
  const operator = /^:?[-?]/.exec(rest)?.[0] as Variable['operator'] | undefined;
  if (operator) return { name, operator, word: rest.slice(operator.length) };
  const slice = /^:\s*(-?\d+)(?::(\d+))?$/.exec(rest);
  if (slice) {
    const length = slice[2] === undefined ? undefined : Number(slice[2]);
    return { name, operator: ':', word: '', slice: [Number(slice[1]), length] };
  }
  throw new VariableSyntaxError(
    dollar,
    'This expansion is not known. Write ${NAME}, ${NAME:-default} or ${NAME:0:8}.',
  );
}
