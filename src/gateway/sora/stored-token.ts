import { p, Type } from '@mikro-orm/core';
import { InvalidInputError } from '../../kit/errors/index.ts';
import { HiddenToken } from './hidden-token.ts';

/** The text of a token column as the table has it: encrypted, or plain where the original has written it. */
export class StoredToken extends HiddenToken {}

/**
 * An entity that has loaded its tokens shows them nowhere, and writes none that is not encrypted: `hidden` keeps a property out of
 * JSON only, and what a program assigns would be a parameter that logs show.
 */
class StoredTokenType extends Type<StoredToken | null, string | null> {
  override convertToJSValue(value: string | null): StoredToken | null {
    return typeof value === 'string' ? new StoredToken(value) : value;
  }

  /** @throws InvalidInputError (code VALIDATION) for what was not read from such a column. */
  override convertToDatabaseValue(value: unknown): string | null {
    if (value === null || value === undefined) return null;
    if (value instanceof StoredToken) return value.reveal();
    throw new InvalidInputError('token', 'be written by soraAccounts.upsert, which encrypts it');
  }

  override compareAsType(): string {
    return 'string';
  }

  override getColumnType(): string {
    return 'text';
  }
}

/** Neither loaded unless it is asked for by name, nor serialised or shown then. */
export const storedToken = () =>
  p.type(StoredTokenType).$type<StoredToken>().columnType('text').nullable().lazy().hidden();
