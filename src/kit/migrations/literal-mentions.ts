import { holdsAnnotationLine } from './annotation.ts';
import type { Token } from './lexer.ts';

/** Looks for annotation text inside literals, where it is data; most files have none, and pay one search for it. */
export class LiteralMentions {
  readonly #text: string;
  #next: number;

  constructor(text: string) {
    this.#text = text;
    this.#next = text.indexOf('+goose');
  }

  /** Whether the literal, which lies behind those asked about before, holds a line that looks like an annotation. */
  isIn({ start, end }: Token): boolean {
    while (this.#next >= 0 && this.#next < start) this.#next = this.#text.indexOf('+goose', this.#next + 1);
    if (this.#next < 0 || this.#next >= end) return false;
    const literal = this.#text.slice(start, end);
    // A body that switches ENVSUB asks for it.
    if (literal.startsWith('$') && /^--\s*\+goose\s+envsub/im.test(literal)) return false;
    return holdsAnnotationLine(literal);
  }
}
