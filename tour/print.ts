import Table from 'cli-table3';
import { styleText } from 'node:util';

/** One numbered part of the tour. */
export function heading(text: string): void {
  process.stdout.write(`\n${styleText('bold', text)}\n`);
}

export function line(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** A table with a header row; numbers come formatted. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const style = process.stdout.isTTY ? { head: ['bold'], border: ['gray'] } : { head: [], border: [] };
  const view = new Table({ head: [...head], style, wordWrap: true });
  view.push(...rows.map((row) => [...row]));
  process.stdout.write(`${view.toString()}\n`);
}

export const count = (value: number): string => value.toLocaleString('en-US');

/** Milliseconds with one digit, right for a table of single statements. */
export const milliseconds = (value: number): string => `${value.toFixed(1)} ms`;
