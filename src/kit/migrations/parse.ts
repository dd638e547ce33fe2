import { annotationOf, holdsAnnotationLine, type Keyword } from './annotation.ts';
import { ClientSyntax, copiesFromClient } from './client-commands.ts';
import { MigrationSyntaxError } from './errors.ts';
import { type Token, tokens, UnterminatedError } from './lexer.ts';
import { type Position, positionsOf } from './position.ts';
import { referencesIn, type Substitution, switchOf } from './references.ts';
import { StatementEnd } from './statement-end.ts';
import { leftOpen, TransactionWatch } from './transaction-control.ts';
import { VariableSyntaxError } from './variable.ts';

/** One statement as it is sent to the server. */
export interface Statement {
  readonly text: string;
  /** The line of the file on which it begins, counted from 1. */
  readonly line: number;
  /** Where values of the environment come in, under `-- +goose ENVSUB ON`. */
  readonly substitutions?: readonly Substitution[];
  /** They have come in: the text must not be shown to anybody. */
  readonly hasValues?: true;
}

/** Something in a file that is allowed and probably not meant. */
export interface ParseNote {
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

/** A migration file, read. */
export interface ParsedMigration {
  readonly up: readonly Statement[];
  /** Undefined when the file has no Down section: it cannot be reverted. */
  readonly down: readonly Statement[] | undefined;
  /** `NO TRANSACTION`: statement by statement, each committed by itself. */
  readonly transactional: boolean;
  readonly notes: readonly ParseNote[];
}

/** How to read a file. */
export interface ParseOptions {
  /** Refuse a file without `-- +goose Up`, as goose does. By default such a file is Up as a whole. */
  readonly requireAnnotations?: boolean;
  /** Without a transaction, whatever the file says. */
  readonly withoutTransaction?: boolean;
}

/**
 * Splits a file into its statements. Without any annotation the whole file is Up.
 *
 * @throws MigrationSyntaxError with line and column.
 */
export function parseMigration(file: string, text: string, options: ParseOptions = {}): ParsedMigration {
  // A byte order mark is not blank to Go, and is to JavaScript: neither shall decide here.
  return new Parser(file, text.startsWith('\uFEFF') ? text.slice(1) : text, options).parse();
}

const CONTROL_IN_TRANSACTION =
  'The file runs in a transaction of its own. Remove this statement, or write "-- +goose NO TRANSACTION" at the top.';

class Parser {
  readonly #file: string;
  readonly #text: string;
  readonly #options: ParseOptions;
  readonly #position: (offset: number) => Position;
  readonly #end = new StatementEnd();
  readonly #client = new ClientSyntax();
  readonly #control = { up: new TransactionWatch(), down: new TransactionWatch() };
  readonly #toggles: [offset: number, on: boolean][] = [];
  readonly #notes: ParseNote[] = [];
  readonly #up: Statement[] = [];
  #down: Statement[] | undefined;
  #section: 'none' | 'up' | 'down' = 'none';
  #annotated = false;
  #transactional: boolean;
  #block: number | undefined;
  #start: number | undefined;
  #last = 0;
  /** Tokens before it are passed over. */
  #skipTo = 0;
  #mention: number;

  constructor(file: string, text: string, options: ParseOptions) {
    this.#file = file;
    this.#text = text;
    this.#options = options;
    this.#position = positionsOf(text);
    this.#mention = text.indexOf('+goose');
    this.#transactional = !options.withoutTransaction;
  }

  parse(): ParsedMigration {
    try {
      for (const token of tokens(this.#text)) this.#take(token);
    } catch (error) {
      if (error instanceof UnterminatedError)
        throw this.#error(error.start, `This ${error.what} has no end. Close it.`);
      throw error;
    }
    if (this.#block !== undefined)
      throw this.#error(this.#block, 'StatementBegin has no StatementEnd. Write it behind the statement.');
    this.#finishOpenStatement();
    if (this.#section === 'none' && (this.#annotated || this.#options.requireAnnotations))
      throw this.#error(0, 'No "-- +goose Up". Write it above the statements.');
    this.#refuseOpenRestrict();
    this.#checkTransactions(this.#control.up);
    this.#checkTransactions(this.#control.down);
    return { up: this.#up, down: this.#down, transactional: this.#transactional, notes: this.#notes };
  }

  #take(token: Token): void {
    if (token.start < this.#skipTo) return;
    if (token.kind === 'comment') return this.#comment(token);
    const restrictEnd =
      this.#text[token.start] === '\\' && this.#start === undefined
        ? this.#client.endOfRestrict(this.#text, token.start)
        : undefined;
    if (restrictEnd !== undefined) {
      this.#skipTo = restrictEnd;
      return;
    }
    this.#code(token);
  }

  #code(token: Token): void {
    if (this.#section === 'none' && (this.#annotated || this.#options.requireAnnotations))
      throw this.#error(token.start, 'SQL before "-- +goose Up". Move it below the annotation.');
    const problem = this.#client.problemAt(token, this.#text, this.#start === undefined);
    if (problem && !this.#isSubstituting()) throw this.#error(token.start, problem);
    if (token.kind === 'literal') this.#noteData(token);
    this.#start ??= token.start;
    this.#last = token.end;
    this.#watch().take(token, this.#text);
    const ends = this.#end.after(token, this.#text);
    if (ends && this.#block === undefined) this.#close(token.end, token.kind === 'semicolon');
  }

  #comment(token: Token): void {
    if (this.#text[token.start] !== '-') {
      // MySQL runs what stands in such a comment; to PostgreSQL it is nothing, and statements would be lost.
      if (/^\/\*!\d/.test(this.#text.slice(token.start, token.start + 4)))
        throw this.#error(token.start, 'A /*! comment is a statement to MySQL only. Write it as SQL.');
      return;
    }
    const line = this.#text.slice(token.start, token.end).trimEnd();
    const annotation = annotationOf(line, this.#position(token.start).column);
    if (!annotation) return;
    if ('note' in annotation) return this.#note(token.start, annotation.note);
    if ('keyword' in annotation) return this.#annotate(annotation.keyword, token);
    // Behind a statement on the same line it is a comment to goose too.
    if (!this.#isBehindCode(token.start)) throw this.#error(token.start, annotation.problem);
    this.#note(
      token.start,
      'This looks like an annotation and is a comment, because it has no line of its own.',
    );
  }

  #annotate(keyword: Keyword, token: Token): void {
    if (keyword === 'ENVSUB ON' || keyword === 'ENVSUB OFF') {
      this.#toggles.push([token.end, keyword === 'ENVSUB ON']);
      this.#annotated = true;
      return;
    }
    if (keyword === 'NO TRANSACTION') return this.#noTransaction(token);
    if (keyword === 'StatementBegin') return this.#beginBlock(token);
    if (keyword === 'StatementEnd') return this.#endBlock(token);
    if (this.#block !== undefined)
      throw this.#error(token.start, `${keyword} inside a block. Write StatementEnd above it.`);
    this.#finishOpenStatement();
    this.#enter(keyword, token);
  }

  #noTransaction(token: Token): void {
    if (this.#section !== 'none')
      this.#note(token.start, 'NO TRANSACTION holds for the whole file. Write it at the top.');
    this.#transactional = false;
    this.#annotated = true;
  }

  #enter(keyword: 'Up' | 'Down', token: Token): void {
    if (keyword === 'Up') {
      if (this.#section !== 'none')
        throw this.#error(token.start, 'A file has one Up, and it comes first. Remove this one.');
      if (this.#up.length > 0)
        throw this.#error(token.start, 'SQL before "-- +goose Up". Move it below the annotation.');
      this.#section = 'up';
    } else {
      if (this.#section !== 'up')
        throw this.#error(
          token.start,
          'A file has one Down, and it comes after Up. Move it, or remove this one.',
        );
      this.#section = 'down';
      this.#down = [];
    }
    this.#annotated = true;
  }

  #beginBlock(token: Token): void {
    if (this.#section === 'none')
      throw this.#error(token.start, 'StatementBegin before Up. Move it below "-- +goose Up".');
    if (this.#block !== undefined)
      throw this.#error(token.start, 'StatementBegin inside StatementBegin. Write StatementEnd above it.');
    this.#finishOpenStatement();
    this.#block = token.start;
  }

  #endBlock(token: Token): void {
    if (this.#block === undefined)
      throw this.#error(token.start, 'StatementEnd without StatementBegin. Remove it.');
    if (this.#start !== undefined) this.#close(this.#last, false);
    else this.#note(this.#block, 'This block has no statement.');
    this.#block = undefined;
  }

  #close(end: number, isEmptyWhenAlone: boolean): void {
    const start = this.#start ?? end;
    this.#start = undefined;
    this.#end.reset();
    this.#client.reset();
    this.#watch().close();
    const text = this.#text.slice(start, end);
    if (isEmptyWhenAlone && text === ';') return;
    if (copiesFromClient(text))
      throw this.#error(start, 'COPY ... FROM stdin has no rows here. Write INSERT statements instead.');
    const statements = this.#section === 'down' ? (this.#down as Statement[]) : this.#up;
    const { line } = this.#position(start);
    const substitutions = this.#substitutions(text, start);
    statements.push(substitutions.length > 0 ? { text, line, substitutions } : { text, line });
  }

  #substitutions(text: string, start: number): Substitution[] {
    // A body may switch it on for itself, so a file with the word anywhere is looked through.
    if (this.#toggles.length === 0 && !/envsub/i.test(text)) return [];
    const isOn = switchOf(this.#toggles);
    try {
      return referencesIn(text, (offset) => isOn(start + offset));
    } catch (error) {
      if (!(error instanceof VariableSyntaxError)) throw error;
      throw this.#error(start + error.start, error.message);
    }
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

  #refuseOpenRestrict(): void {
    const start = this.#client.openRestrict();
    if (start !== undefined)
      throw this.#error(start, String.raw`\restrict has no \unrestrict with its key. Remove the line.`);
  }

  #checkTransactions({ found }: TransactionWatch): void {
    if (this.#transactional && found[0]) throw this.#error(found[0].start, CONTROL_IN_TRANSACTION);
    const open = leftOpen(found);
    if (open !== undefined)
      throw this.#error(open, 'This transaction is never committed. Write COMMIT behind it.');
  }

  #watch(): TransactionWatch {
    return this.#section === 'down' ? this.#control.down : this.#control.up;
  }

  #isSubstituting(): boolean {
    return this.#toggles.at(-1)?.[1] ?? false;
  }

  /** Annotation text inside a literal is data; a body that switches ENVSUB asks for it. */
  #noteData({ start, end }: Token): void {
    while (this.#mention >= 0 && this.#mention < start)
      this.#mention = this.#text.indexOf('+goose', this.#mention + 1);
    if (this.#mention < 0 || this.#mention >= end) return;
    const literal = this.#text.slice(start, end);
    const isAsked = literal.startsWith('$') && /^--\s*\+goose\s+envsub/im.test(literal);
    if (!isAsked && holdsAnnotationLine(literal))
      this.#note(start, 'This literal holds the text of an annotation, which is data here.');
  }

  #note(offset: number, text: string): void {
    this.#notes.push({ ...this.#position(offset), text });
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
