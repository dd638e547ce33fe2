import { DatabaseError } from 'pg';
import { tokens } from './lexer.ts';
import type { Statement } from './parsed-migration.ts';
import { ScriptError } from './script.ts';
import type { Session } from './session.ts';
import { StatementEnd } from './statement-end.ts';

/** A piece of a script: a statement of the file, or what the engine puts around them. */
export interface Part {
  readonly sql: string;
  /** Whose fault it is when it fails. */
  readonly blame: Statement | 'ledger';
}

/** A part of a script failed; the cause's position, where it has one, counts from the part's own beginning. */
export class PartError extends Error {
  readonly part: Part;

  constructor(part: Part, cause: unknown) {
    super('a part of the script failed', { cause });
    this.part = part;
  }
}

/** The server reads a whole message before it runs any of it, so what changes how it reads ends the message. */
const CHANGES_READING = /standard_conforming_strings|client_encoding|backslash_quote/i;

/**
 * Sends the parts in as few messages as can be, for a round trip costs more than most statements.
 *
 * @throws PartError
 */
export async function sendParts(session: Session, parts: readonly Part[]): Promise<void> {
  for (const message of messagesOf(parts)) {
    try {
      await session.script(textOf(message));
    } catch (error) {
      throw error instanceof ScriptError ? partError(message, error) : error;
    }
  }
}

function messagesOf(parts: readonly Part[]): Part[][] {
  const messages: Part[][] = [[]];
  for (const part of parts) {
    messages.at(-1)?.push(part);
    if (CHANGES_READING.test(part.sql)) messages.push([]);
  }
  return messages.filter((message) => message.length > 0);
}

const textOf = (parts: readonly Part[]): string => parts.map(({ sql }) => `${sql}\n;\n`).join('');

function partError(parts: readonly Part[], error: ScriptError): PartError {
  const { cause } = error;
  if (cause instanceof DatabaseError && cause.position) {
    const at = partAt(parts, Number(cause.position));
    cause.position = String(at.position);
    return new PartError(at.part, cause);
  }
  return new PartError(partAfter(parts, error.completed), cause);
}

/** The server counts characters, not the two units of which JavaScript makes some of them. */
function partAt(parts: readonly Part[], position: number): { part: Part; position: number } {
  let left = position;
  for (const part of parts) {
    const length = Array.from(textOf([part])).length;
    if (left <= length) return { part, position: left };
    left -= length;
  }
  return { part: parts.at(-1) as Part, position: 1 };
}

function partAfter(parts: readonly Part[], completed: number): Part {
  let left = completed;
  for (const part of parts) {
    const commands = commandsIn(part.sql);
    if (left < commands) return part;
    left -= commands;
  }
  return parts.at(-1) as Part;
}

/** A StatementBegin block may hold several statements, and the server answers each. */
function commandsIn(sql: string): number {
  const end = new StatementEnd();
  let commands = 0;
  let isOpen = false;
  for (const token of tokens(sql)) {
    if (token.kind === 'comment') continue;
    if (token.kind !== 'semicolon') isOpen = true;
    if (!end.after(token, sql)) continue;
    if (isOpen) commands += 1;
    isOpen = false;
    end.reset();
  }
  return isOpen ? commands + 1 : commands;
}
