import Table from 'cli-table3';

const PLACES =
  'top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right left left-mid mid mid-mid right right-mid middle';
const NO_BORDERS = Object.fromEntries(PLACES.split(' ').map((name) => [name, '']));

/** Columns with a header, without borders, so that lines can be searched and cut. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const style = { head: [], border: [], 'padding-left': 0, 'padding-right': 2 };
  const view = new Table({ head: [...head], chars: NO_BORDERS, style });
  view.push(...rows.map((row) => row.map(visible)));
  return view
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** A text that somebody has stored, without what a terminal would obey. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (sign) => `\\u{${sign.codePointAt(0)?.toString(16)}}`);
}

/** An instant of the kit for people, to the second. */
export function shownInstant(text: string): string {
  return text.replace(/\.\d+Z$/, 'Z');
}
