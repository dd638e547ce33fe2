import { annotationOf, type Keyword } from './annotation.ts';
import type { BackfillDirective, VerifyDirective } from './backfill/directive.ts';
import { copiesFromClient } from './client-commands.ts';
import { MigrationSyntaxError } from './errors.ts';
import { type Token, tokens, UnterminatedError } from './lexer.ts';
import { type Position, positionsOf } from './position.ts';
import type { Phase } from './phases/directive.ts';
import { StatementEnd } from './statement-end.ts';
import { transactionControl } from './transaction-control.ts';

/** One statement as it is sent to the server. */
export interface Statement {
  readonly text: string;
  /** The line of the file on which it begins, counted from 1. */
  readonly line: number;
  /** What a comment above it asks of this engine. */
  readonly directive?: BackfillDirective | VerifyDirective;
}

/** A migration file, read. */
export interface ParsedMigration {
  readonly up: readonly Statement[];
  /** Undefined when the file has no Down section: it cannot be reverted. */
  readonly down: readonly Statement[] | undefined;
  /** `NO TRANSACTION`: statement by statement, each committed by itself. */
  readonly transactional: boolean;
  /** What the file declares of itself; see its directive. */
  readonly phase?: Phase;
}

/**
 * Splits a file into its statements. Without any annotation the whole file is Up.
 *
 * @throws MigrationSyntaxError with line and column.
 */
export function parseMigration(file: string, text: string): ParsedMigration {
  // A byte order mark is not blank to Go, and is to JavaScript: neither shall decide here.
  return new Parser(file, text.startsWith('\uFEFF') ? text.slice(1) : text).parse();
}

const CONTROL_IN_TRANSACTION =
  'The file runs in a transaction of its own. Remove this statement, or write "-- +goose NO TRANSACTION" at the top.';

class Parser {
  readonly #file: string;
  readonly #text: string;
  readonly #position: (offset: number) => Position;
  readonly #end = new StatementEnd();
  /** Where the statements of each section begin, for messages about them. */
  readonly #starts = { up: [] as number[], down: [] as number[] };
  readonly #up: Statement[] = [];
  #down: Statement[] | undefined;
  #section: 'none' | 'up' | 'down' = 'none';
  #annotated = false;
  #transactional = true;
  #block: number | undefined;
  #start: number | undefined;
  #last = 0;

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
    this.#position = positionsOf(text);
  }

  parse(): ParsedMigration {
    try {
      for (const token of tokens(this.#text)) this.#take(token);
    } catch (error) {
      if (error instanceof UnterminatedError)
        throw this.#error(error.start, `This ${error.what} has no end.`);
      throw error;
    }
    if (this.#block !== undefined) throw this.#error(this.#block, 'StatementBegin has no StatementEnd.');
    this.#finishOpenStatement();
    if (this.#annotated && this.#section === 'none')
      throw this.#error(0, 'No "-- +goose Up". Write it above the statements.');
    this.#checkTransactions('up', this.#up);
    this.#checkTransactions('down', this.#down ?? []);
    return { up: this.#up, down: this.#down, transactional: this.#transactional };
  }

  #take(token: Token): void {
    if (token.kind === 'comment') return this.#comment(token);
    if (this.#annotated && this.#section === 'none') {
      throw this.#error(token.start, 'SQL before "-- +goose Up". Move it below the annotation.');
    }
    if (this.#text[token.start] === '\\')
      throw this.#error(token.start, 'A command of psql is not SQL. Remove it, or write it as SQL.');
    this.#start ??= token.start;
    this.#last = token.end;
    const ends = this.#end.after(token, this.#text);
    if (ends && this.#block === undefined) this.#close(token.end, token.kind === 'semicolon');
  }

  #comment(token: Token): void {
    if (this.#text[token.start] !== '-') return;
    const line = this.#text.slice(token.start, token.end).trimEnd();
    const annotation = annotationOf(line, this.#position(token.start).column);
    if (!annotation) return;
    if ('problem' in annotation) {
      // Behind a statement on the same line it is a comment to goose too.
      if (this.#isBehindCode(token.start)) return;
      throw this.#error(token.start, annotation.problem);
    }
    this.#annotate(annotation.keyword, token);
  }

  #annotate(keyword: Keyword, token: Token): void {
    if (keyword === 'NO TRANSACTION') {
      this.#transactional = false;
      this.#annotated = true;
      return;
    }
    if (keyword === 'StatementBegin') return this.#beginBlock(token);
    if (keyword === 'StatementEnd') return this.#endBlock(token);
    if (this.#block !== undefined)
      throw this.#error(token.start, `${keyword} inside StatementBegin and StatementEnd.`);
    this.#finishOpenStatement();
    this.#enter(keyword, token);
  }

  #enter(keyword: 'Up' | 'Down', token: Token): void {
    if (keyword === 'Up') {
      if (this.#section !== 'none') throw this.#error(token.start, 'A file has one Up, and it comes first.');
      if (this.#up.length > 0)
        throw this.#error(token.start, 'SQL before "-- +goose Up". Move it below the annotation.');
      this.#section = 'up';
    } else {
      if (this.#section !== 'up')
        throw this.#error(token.start, 'A file has one Down, and it comes after Up.');
      this.#section = 'down';
      this.#down = [];
    }
    this.#annotated = true;
  }

  #beginBlock(token: Token): void {
    if (this.#section === 'none') throw this.#error(token.start, 'StatementBegin before Up.');
    if (this.#block !== undefined) throw this.#error(token.start, 'StatementBegin inside StatementBegin.');
    this.#finishOpenStatement();
    this.#block = token.start;
  }

  #endBlock(token: Token): void {
    if (this.#block === undefined) throw this.#error(token.start, 'StatementEnd without StatementBegin.');
    this.#block = undefined;
    if (this.#start !== undefined) this.#close(this.#last, false);
  }

  #close(end: number, isEmptyWhenAlone: boolean): void {
    const start = this.#start ?? end;
    this.#start = undefined;
    this.#end.reset();
    const text = this.#text.slice(start, end);
    if (isEmptyWhenAlone && text === ';') return;
    if (copiesFromClient(text))
      throw this.#error(start, 'COPY ... FROM stdin has no rows here. Write INSERT statements instead.');
    const isDown = this.#section === 'down';
    const statements = isDown ? (this.#down as Statement[]) : this.#up;
    statements.push({ text, line: this.#position(start).line });
    this.#starts[isDown ? 'down' : 'up'].push(start);
  }

  #finishOpenStatement(): void {
    if (this.#start === undefined) return;
    const hint = this.#end.hint();
    // Goose asks for the last semicolon too; without annotations the file is plain SQL, where it is optional.
    if (this.#annotated || hint) {
      throw this.#error(this.#start, `This statement has no end. ${hint ?? 'Put a semicolon behind it.'}`);
    }
    this.#close(this.#last, false);
  }

  #checkTransactions(section: 'up' | 'down', statements: readonly Statement[]): void {
    let open: number | undefined;
    for (const [index, { text }] of statements.entries()) {
      for (const { start, effect } of transactionControl(text)) {
        const offset = (this.#starts[section][index] ?? 0) + start;
        if (this.#transactional) throw this.#error(offset, CONTROL_IN_TRANSACTION);
        if (effect === 'opens') open = offset;
        if (effect === 'closes') open = undefined;
      }
    }
    if (open !== undefined)
      throw this.#error(open, 'This transaction is never committed. Write COMMIT behind it.');
  }

  #isBehindCode(offset: number): boolean {
    const lineStart = this.#text.lastIndexOf('\n', offset - 1) + 1;
    return this.#text.slice(lineStart, offset).trim() !== '';
  }

  #error(offset: number, problem: string): MigrationSyntaxError {
    const { line, column } = this.#position(offset);
    return new MigrationSyntaxError(this.#file, line, column, problem);
  }
}
