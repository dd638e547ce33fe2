const LONGEST = 63;

/** Names of relations that are not taken, in the database or by a statement that was written before. */
export class FreeNames {
  readonly #taken: Set<string>;

  constructor(taken: Iterable<{ readonly schema: string; readonly name: string }>) {
    this.#taken = new Set([...taken].map(({ schema, name }) => JSON.stringify([schema, name])));
  }

  /** A name that begins with `base` as far as 63 bytes allow, and stays reserved. */
  take(schema: string, base: string, suffix: string): string {
    for (let number = 1; ; number += 1) {
      const end = number === 1 ? suffix : `${suffix}${number}`;
      const name = `${shortened(base, LONGEST - Buffer.byteLength(end))}${end}`;
      const key = JSON.stringify([schema, name]);
      if (this.#taken.has(key)) continue;
      this.#taken.add(key);
      return name;
    }
  }
}

function shortened(text: string, bytes: number): string {
  let short = text;
  while (Buffer.byteLength(short) > bytes) short = short.replace(/.$/su, '');
  return short;
}
