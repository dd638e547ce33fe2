import { isRaw } from '@mikro-orm/core';

/** A piece of SQL whose values are all texts. */
interface Piece {
  readonly sql: string;
  readonly count: number;
}

/** What a value was: a text, a number of four bytes, or a piece of SQL. */
type Kind = 'integer' | 'text' | Piece;

/** A statement whose text with parameters depends on nothing but the kinds of its values, each of which is a parameter. */
export interface AgainBound {
  readonly text: string;
  readonly kinds: readonly Kind[];
}

/** What there is to keep of a statement that was bound; undefined where other values of the same kinds may make another text. */
export function boundAgain(
  text: string,
  params: readonly unknown[],
  bound: readonly unknown[],
): AgainBound | undefined {
  const kinds: Kind[] = [];
  for (const param of params) {
    const kind = kindOf(param);
    if (!kind) return undefined;
    kinds.push(kind);
  }
  const again = { text, kinds };
  const values = valuesAgain(again, params);
  const isSame = values?.length === bound.length && values.every((value, index) => value === bound[index]);
  return isSame ? again : undefined;
}

/** The parameters of a call; undefined where a value is of another kind. */
export function valuesAgain({ kinds }: AgainBound, params: readonly unknown[]): unknown[] | undefined {
  if (params.length !== kinds.length) return undefined;
  const values: unknown[] = [];
  for (let index = 0; index < kinds.length; index += 1) {
    const kind = kinds[index] as Kind;
    const param = params[index];
    if (kind === 'text') {
      if (typeof param !== 'string') return undefined;
      values.push(param);
    } else if (kind === 'integer') {
      if (!isInteger(param)) return undefined;
      values.push(String(param));
    } else if (!isPiece(kind, param)) return undefined;
    else values.push(...param.params);
  }
  return values;
}

function kindOf(param: unknown): Kind | undefined {
  if (typeof param === 'string') return 'text';
  if (isInteger(param)) return 'integer';
  return isRaw(param) ? { sql: param.sql, count: param.params.length } : undefined;
}

const INT4 = 2 ** 31;

const isInteger = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < INT4;

function isPiece({ sql, count }: Piece, param: unknown): param is { readonly params: string[] } {
  if (!isRaw(param) || param.sql !== sql || param.params.length !== count) return false;
  return param.params.every((value) => typeof value === 'string');
}
