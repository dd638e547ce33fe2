import { type Token, tokens } from './lexer.ts';
import { StatementEnd } from './statement-end.ts';

/** A statement that begins or ends a transaction, or works inside one by name. */
export interface TransactionControl {
  /** Where it begins in the text. */
  readonly start: number;
  readonly effect: 'opens' | 'closes' | 'neither';
}

const CLOSING = new Set(['commit', 'end', 'abort', 'rollback']);

/**
 * Finds transaction control in a text, which may hold several statements when it was a StatementBegin block. Inside a file
 * that runs in one transaction, a COMMIT would make what came before survive a failure behind it, ledger row or not.
 */
export class TransactionWatch {
  readonly found: TransactionControl[] = [];
  readonly #end = new StatementEnd();
  #start: number | undefined;
  #words: string[] = [];

  take(token: Token, text: string): void {
    if (token.kind === 'comment') return;
    this.#start ??= token.start;
    // An empty word marks the place of anything else, so that words behind it are not taken for leading ones.
    if (this.#words.length < 8)
      this.#words.push(token.kind === 'word' ? text.slice(token.start, token.end).toLowerCase() : '');
    if (this.#end.after(token, text)) this.close();
  }

  /** The statement ends, with a semicolon or without. */
  close(): void {
    const effect = effectOf(this.#words);
    if (effect && this.#start !== undefined) this.found.push({ start: this.#start, effect });
    this.#end.reset();
    this.#start = undefined;
    this.#words = [];
  }
}

/** Transaction control in a text by itself. */
export function transactionControl(text: string): readonly TransactionControl[] {
  const watch = new TransactionWatch();
  for (const token of tokens(text)) watch.take(token, text);
  watch.close();
  return watch.found;
}

/** Where the last transaction that is opened begins, if nothing closes it. */
export function leftOpen(found: readonly TransactionControl[]): number | undefined {
  let open: number | undefined;
  for (const { start, effect } of found) {
    if (effect === 'opens') open = start;
    if (effect === 'closes') open = undefined;
  }
  return open;
}

function effectOf(words: readonly string[]): TransactionControl['effect'] | undefined {
  const [first = '', second = ''] = words;
  if (first === 'savepoint' || first === 'release') return 'neither';
  if (first === 'begin' || (first === 'start' && second === 'transaction')) return 'opens';
  if (first === 'prepare' && second === 'transaction') return 'closes';
  if (!CLOSING.has(first)) return undefined;
  const isPartial = words.includes('to') || words.includes('prepared');
  return isPartial ? 'neither' : isChained(words) ? 'opens' : 'closes';
}

function isChained(words: readonly string[]): boolean {
  const at = words.indexOf('chain');
  return at > 0 && words[at - 1] === 'and';
}
