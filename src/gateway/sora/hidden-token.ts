import { inspect } from 'node:util';

const SHOWN = '[hidden token]';

/** A token in a program's hands. Only `reveal` gives it; no log, no JSON and no template does. */
export class HiddenToken {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The token itself: for the header of a request, and nothing else. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return SHOWN;
  }

  toJSON(): string {
    return SHOWN;
  }

  [inspect.custom](): string {
    return SHOWN;
  }
}
