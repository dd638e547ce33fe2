import type { Token } from './lexer.ts';

/**
 * Decides at which semicolon a statement ends: not inside parentheses (a rule's list of actions), and not inside the body
 * of a routine written as BEGIN ATOMIC … END, whose statements end in semicolons of their own.
 */
export class StatementEnd {
  #parentheses = 0;
  #atomic = 0;
  #previous = '';
  #isRoutine = false;
  #words = 0;

  /** Takes the next token of the statement; true when the statement ends with it. */
  after(token: Token, text: string): boolean {
    if (token.kind === 'open') this.#parentheses += 1;
    if (token.kind === 'close') this.#parentheses -= 1;
    if (token.kind === 'word') this.#word(text.slice(token.start, token.end).toLowerCase());
    return token.kind === 'semicolon' && this.#parentheses <= 0 && this.#atomic === 0;
  }

  reset(): void {
    this.#parentheses = 0;
    this.#atomic = 0;
    this.#previous = '';
    this.#isRoutine = false;
    this.#words = 0;
  }

  /** Why a statement that had a semicolon may still be open. */
  hint(): string | undefined {
    if (this.#parentheses > 0) return 'A parenthesis is open.';
    if (this.#atomic > 0) return 'BEGIN ATOMIC has no END.';
    return undefined;
  }

  #word(word: string): void {
    this.#words += 1;
    // CREATE [OR REPLACE] FUNCTION is at most the fourth word.
    if (this.#words <= 4 && (word === 'function' || word === 'procedure')) this.#isRoutine = true;
    if (this.#isRoutine) {
      if (this.#previous === 'begin' && word === 'atomic') this.#atomic += 1;
      else if (this.#atomic > 0 && word === 'case' && this.#previous !== 'end') this.#atomic += 1;
      else if (this.#atomic > 0 && word === 'end') this.#atomic -= 1;
    }
    this.#previous = word;
  }
}
