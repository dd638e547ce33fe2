import { annotationOf, type Keyword } from './annotation.ts';
import { ClientSyntax, copiesFromClient } from './client-commands.ts';
import { EnvSub } from './envsub.ts';
import { type Token, tokens, UnterminatedError } from './lexer.ts';
import { LiteralMentions } from './literal-mentions.ts';
import type { ParsedMigration, ParseOptions } from './parsed-migration.ts';
import { Report } from './report.ts';
import { Sections } from './sections.ts';
import { StatementEnd } from './statement-end.ts';

/**
 * Splits a file into its statements. Without any annotation the whole file is Up.
 *
 * @throws MigrationSyntaxError with line and column.
 */
export function parseMigration(file: string, text: string, options: ParseOptions = {}): ParsedMigration {
  // A byte order mark is not blank to Go, and is to JavaScript: neither shall decide here.
  return new Parser(file, text.startsWith('\uFEFF') ? text.slice(1) : text, options).parse();
}

class Parser {
  readonly #text: string;
  readonly #report: Report;
  readonly #sections: Sections;
  readonly #envSub: EnvSub;
  readonly #mentions: LiteralMentions;
  readonly #end = new StatementEnd();
  readonly #client = new ClientSyntax();
  #block: number | undefined;
  #start: number | undefined;
  #last = 0;
  /** Tokens before it are passed over. */
  #skipTo = 0;

  constructor(file: string, text: string, options: ParseOptions) {
    this.#text = text;
    this.#report = new Report(file, text);
    this.#sections = new Sections(this.#report, options);
    this.#envSub = new EnvSub(this.#report);
    this.#mentions = new LiteralMentions(text);
  }

  parse(): ParsedMigration {
    try {
      for (const token of tokens(this.#text)) this.#take(token);
    } catch (error) {
      if (error instanceof UnterminatedError)
        throw this.#report.error(error.start, `This ${error.what} has no end. Close it.`);
      throw error;
    }
    if (this.#block !== undefined)
      throw this.#report.error(
        this.#block,
        'StatementBegin has no StatementEnd. Write it behind the statement.',
      );
    this.#finishOpenStatement();
    this.#sections.finish();
    this.#refuseOpenRestrict();
    this.#sections.checkTransactions();
    const { up, down, transactional } = this.#sections;
    return { up, down, transactional, notes: this.#report.notes };
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
    this.#sections.refuseCode(token.start);
    const problem = this.#client.problemAt(token, this.#text, this.#start === undefined);
    if (problem && !this.#envSub.isOn) throw this.#report.error(token.start, problem);
    if (token.kind === 'literal' && this.#mentions.isIn(token))
      this.#report.note(token.start, 'This literal holds the text of an annotation, which is data here.');
    this.#start ??= token.start;
    this.#last = token.end;
    this.#sections.watch.take(token, this.#text);
    const ends = this.#end.after(token, this.#text);
    if (ends && this.#block === undefined) this.#close(token.end, token.kind === 'semicolon');
  }

  #comment(token: Token): void {
    if (this.#text[token.start] !== '-') {
      // MySQL runs what stands in such a comment; to PostgreSQL it is nothing, and statements would be lost.
      if (/^\/\*!\d/.test(this.#text.slice(token.start, token.start + 4)))
        throw this.#report.error(token.start, 'A /*! comment is a statement to MySQL only. Write it as SQL.');
      return;
    }
    const line = this.#text.slice(token.start, token.end).trimEnd();
    const annotation = annotationOf(line, this.#report.position(token.start).column);
    if (!annotation) return;
    if ('note' in annotation) return this.#report.note(token.start, annotation.note);
    if ('keyword' in annotation) return this.#annotate(annotation.keyword, token);
    // Behind a statement on the same line it is a comment to goose too.
    if (!this.#isBehindCode(token.start)) throw this.#report.error(token.start, annotation.problem);
    this.#report.note(
      token.start,
      'This looks like an annotation and is a comment, because it has no line of its own.',
    );
  }

  #annotate(keyword: Keyword, { start, end }: Token): void {
    switch (keyword) {
      case 'ENVSUB ON':
      case 'ENVSUB OFF':
        this.#envSub.toggle(end, keyword === 'ENVSUB ON');
        this.#sections.isAnnotated = true;
        return;
      case 'NO TRANSACTION':
        return this.#sections.noTransaction(start);
      case 'StatementBegin':
        return this.#beginBlock(start);
      case 'StatementEnd':
        return this.#endBlock(start);
      default:
        if (this.#block !== undefined)
          throw this.#report.error(start, `${keyword} inside a block. Write StatementEnd above it.`);
        this.#finishOpenStatement();
        this.#sections.enter(keyword, start);
    }
  }

  #beginBlock(start: number): void {
    if (this.#sections.isBefore)
      throw this.#report.error(start, 'StatementBegin before Up. Move it below "-- +goose Up".');
    if (this.#block !== undefined)
      throw this.#report.error(start, 'StatementBegin inside StatementBegin. Write StatementEnd above it.');
    this.#finishOpenStatement();
    this.#block = start;
  }

  #endBlock(start: number): void {
    if (this.#block === undefined)
      throw this.#report.error(start, 'StatementEnd without StatementBegin. Remove it.');
    if (this.#start !== undefined) this.#close(this.#last, false);
    else this.#report.note(this.#block, 'This block has no statement.');
    this.#block = undefined;
  }

  #close(end: number, isEmptyWhenAlone: boolean): void {
    const start = this.#start ?? end;
    this.#start = undefined;
    this.#end.reset();
    this.#client.reset();
    this.#sections.watch.close();
    const text = this.#text.slice(start, end);
    if (isEmptyWhenAlone && text === ';') return;
    if (copiesFromClient(text))
      throw this.#report.error(
        start,
        'COPY ... FROM stdin has no rows here. Write INSERT statements instead.',
      );
    const { line } = this.#report.position(start);
    const substitutions = this.#envSub.substitutionsIn(text, start);
    this.#sections.statements.push(substitutions.length > 0 ? { text, line, substitutions } : { text, line });
  }

  #finishOpenStatement(): void {
    if (this.#start === undefined) return;
    const hint = this.#end.hint();
    // Goose asks for the last semicolon too; without annotations the file is plain SQL, where it is optional.
    if (this.#sections.isAnnotated || hint) {
      const remedy = hint ?? 'Put a semicolon behind it.';
      throw this.#report.error(this.#start, `This statement has no end. ${remedy}`);
    }
    this.#close(this.#last, false);
  }

  #refuseOpenRestrict(): void {
    const start = this.#client.openRestrict();
    if (start !== undefined)
      throw this.#report.error(
        start,
        String.raw`\restrict has no \unrestrict with its key. Remove the line.`,
      );
  }

  #isBehindCode(offset: number): boolean {
    const lineStart = this.#text.lastIndexOf('\n', offset - 1) + 1;
    return this.#text.slice(lineStart, offset).trim() !== '';
  }
}
