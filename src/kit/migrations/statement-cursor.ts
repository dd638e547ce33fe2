import { type Token, tokens } from './lexer.ts';

/** Reads a statement word by word, comments left out, as far as questions about its kind need it. */
export class StatementCursor {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = [...tokens(text)].filter((token) => token.kind !== 'comment');
  }

  /** Steps over these words when they come next; otherwise stays where it is. */
  take(...words: readonly string[]): boolean {
    if (!words.every((word, index) => this.#word(this.#at + index) === word)) return false;
    this.#at += words.length;
    return true;
  }

  /** Steps over the first of these words that comes next. */
  takeAny(...words: readonly string[]): boolean {
    return words.some((word) => this.take(word));
  }

  /** Reads a name, with a schema or without, as it is written; undefined where there is none. */
  name(): string | undefined {
    const start = this.#at;
    while (this.#isNamePart(this.#at)) {
      this.#at += 1;
      if (this.#word(this.#at) !== '.') break;
      this.#at += 1;
    }
    return this.#at === start ? undefined : this.#slice(start, this.#at);
  }

  /** Reads what stands in parentheses here, as words. */
  parenthesised(): string[] {
    if (this.#tokens[this.#at]?.kind !== 'open') return [];
    const start = this.#at;
    while (this.#at < this.#tokens.length && this.#tokens[this.#at]?.kind !== 'close') this.#at += 1;
    this.#at += 1;
    return Array.from({ length: this.#at - start }, (_, index) => this.#word(start + index));
  }

  /** Reads a string literal, as it is written. */
  literal(): string | undefined {
    if (this.#tokens[this.#at]?.kind !== 'literal') return undefined;
    this.#at += 1;
    return this.#slice(this.#at - 1, this.#at);
  }

  /** What has not been read yet, as it is written. */
  rest(): string {
    const next = this.#tokens[this.#at];
    return next ? this.#text.slice(next.start) : '';
  }

  /** Whether the word stands anywhere in the statement, outside of literals. */
  has(word: string): boolean {
    return this.#tokens.some((_, index) => this.#word(index) === word);
  }

  #isNamePart(index: number): boolean {
    const token = this.#tokens[index];
    return token?.kind === 'word' || (token?.kind === 'literal' && this.#text[token.start] === '"');
  }

  #word(index: number): string {
    const token = this.#tokens[index];
    return token ? this.#text.slice(token.start, token.end).toLowerCase() : '';
  }

  #slice(from: number, to: number): string {
    return this.#text.slice(this.#tokens[from]?.start, this.#tokens[to - 1]?.end);
  }
}
