import { tokens } from './lexer.ts';
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
export function transactionControl(text: string): TransactionControl[] {
  const found: TransactionControl[] = [];
  const end = new StatementEnd();
  let start: number | undefined;
  let words: string[] = [];
  const close = (): void => {
    const effect = effectOf(words);
    if (effect && start !== undefined) found.push({ start, effect });
    end.reset();
    start = undefined;
    words = [];
  };
  for (const token of tokens(text)) {
    if (token.kind === 'comment') continue;
    start ??= token.start;
    // An empty word marks the place of anything else, so that words behind it are not taken for leading ones.
    if (words.length < 8)
      words.push(token.kind === 'word' ? text.slice(token.start, token.end).toLowerCase() : '');
    if (end.after(token, text)) close();
  }
  close();
  return found;
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
