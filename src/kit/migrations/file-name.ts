interface Numbered {
  readonly name: string;
  readonly version: number;
}

/** Numbers above 2^53 cannot be told apart, so fifteen digits are the most; a time stamp has fourteen. */
const NUMBERED = /^(\d{1,15})_[A-Za-z0-9_.-]+\.sql$/;

/** Why a `.sql` file is no migration: refused, or passed over with a note where goose passes it over without. */
export function nameProblem(
  fileName: string,
  order: 'number' | 'name' = 'number',
): { readonly text: string; readonly isIgnored: boolean } | undefined {
  if (order === 'name') {
    return fileName.endsWith('.sql')
      ? undefined
      : { text: 'has its suffix in capitals. Name it .sql.', isIgnored: false };
  }
  if (Number(NUMBERED.exec(fileName)?.[1] ?? 0) > 0) return undefined;
  // Goose passes over what has no number; a typing mistake in a name must not go unseen.
  if (!/^\d+_/.test(fileName))
    return {
      text: 'This file was passed over, because its name has no number. Name it NNN_description.sql, or move it away.',
      isIgnored: true,
    };
  return {
    text: 'is no migration name. Name it NNN_description.sql with a number from 1 to 15 digits, above 0.',
    isIgnored: false,
  };
}

export function byNumber(a: Numbered, b: Numbered): number {
  return a.version - b.version;
}

/** By bytes: the order must not depend on the language of the machine. */
export function byName(a: Numbered, b: Numbered): number {
  return Buffer.compare(Buffer.from(a.name), Buffer.from(b.name));
}
