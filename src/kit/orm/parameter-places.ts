import { LIST_MARK, type SqlToken } from './sql-tokens.ts';

/** What stands in the place of a mark: a value to compare with, one that is stored, a number of rows, or a list after IN. */
export interface ParameterPlace {
  readonly kind: 'list' | 'rows' | 'stored' | 'value';
  /** The piece of the statement that the parameter takes the place of. */
  readonly start: number;
  readonly end: number;
  /** Of a list: it follows NOT IN. */
  readonly negated: boolean;
}

/** Part of a statement between parentheses; `opener` is the token before them. */
interface Frame {
  clause: string | undefined;
  readonly opener: SqlToken | undefined;
  readonly inList: boolean;
}

const STATEMENTS = new Set(['select', 'insert', 'update', 'delete', 'with']);
const CLAUSES = new Set(
  'select from where having on set values limit offset returning group order window using union intersect except conflict for with fetch'.split(
    ' ',
  ),
);
const JOINS = new Set(['join', 'left', 'right', 'inner', 'cross', 'full', 'natural']);
const COMPARISONS = new Set(
  '= <> != < > <= >= like ilike ~ ~* !~ !~* ~~ ~~* !~~ !~~* @> <@ && @@ ? ?| ?&'.split(' '),
);
/** What a value in front of a cast follows; the name of a type before it would make both one literal: `interval '3 h'::text`. */
const BEFORE_CAST = new Set(
  '( , [ and or not where on having between like ilike when then else set'.split(' '),
);
/** What an interval's text says is read by the fields that its type names, which a parameter learns too late. */
const FIELDS = new Set('year month day hour minute second'.split(' '));
/** IN binds closer than these, and `= ANY`, which takes its place, as close. */
const AS_CLOSE = new Set('= <> != < > <= >='.split(' '));
/** Where the left side of IN cannot reach. */
const ENDS = new Set('and or not where on having when then else between'.split(' '));
/** A parameter in the list of columns, in GROUP BY or in ORDER BY may not be the same expression as another one. */
const BINDING = new Set(['where', 'having', 'on', 'set', 'values', 'limit', 'offset']);
const AROUND = new Set([...BINDING, 'from', 'with']);
const AFTER = new Set(
  'and or limit offset order group having returning for union intersect except where fetch left right inner cross full join'.split(
    ' ',
  ),
);

/**
 * Where the marks of a statement stand; undefined when one stands where a parameter could mean something else than the literal,
 * or nothing: PostgreSQL gives both the same type only beside an operator, in a list, in what is stored, and before a cast.
 */
export function parameterPlaces(tokens: readonly SqlToken[]): ParameterPlace[] | undefined {
  const first = tokens.find(({ text }) => text !== '(')?.text ?? '';
  if (!STATEMENTS.has(first) || tokens.some(({ kind, text }) => kind === 'sign' && text === ';'))
    return undefined;
  const frames: Frame[] = [{ clause: undefined, opener: undefined, inList: false }];
  const places: ParameterPlace[] = [];
  for (const [index, token] of tokens.entries()) {
    if (token.kind === 'mark') {
      const place = placeOf({ tokens, index, frames, first });
      if (!place) return undefined;
      places.push(place);
    } else if (token.text === '(' && token.kind === 'sign') {
      frames.push(opened(tokens, index, frames));
    } else if (token.text === ')' && token.kind === 'sign') {
      if (frames.length === 1) return undefined;
      frames.pop();
    } else if (token.kind === 'word') {
      enterClause(frames.at(-1) as Frame, token.text, tokens[index + 1]);
    }
  }
  return places;
}

function opened(tokens: readonly SqlToken[], index: number, frames: readonly Frame[]): Frame {
  const opener = tokens[index - 1];
  const around = frames.at(-1);
  const isOfList = around?.opener?.text === 'in' && around.clause === undefined;
  const isTuple = isOfList && (opener?.text === '(' || opener?.text === ',');
  return { clause: undefined, opener, inList: opener?.text === 'in' || isTuple };
}

function enterClause(frame: Frame, word: string, next: SqlToken | undefined): void {
  if (word === 'on' && next?.text === 'conflict') return;
  // The condition that names a partial index is compared with the index's own, as it is written.
  if (word === 'where' && frame.clause === 'conflict') return;
  if (CLAUSES.has(word)) frame.clause = word;
  else if (JOINS.has(word)) frame.clause = 'from';
}

interface Position {
  readonly tokens: readonly SqlToken[];
  readonly index: number;
  readonly frames: readonly Frame[];
  readonly first: string;
}

function placeOf(position: Position): ParameterPlace | undefined {
  const { tokens, index, frames } = position;
  const clause = clauseOf(frames);
  if (clause === undefined) return undefined;
  const [before, mark, after] = [tokens[index - 1], tokens[index] as SqlToken, tokens[index + 1]];
  const at = (kind: ParameterPlace['kind']): ParameterPlace => ({
    kind,
    start: mark.start,
    end: mark.end,
    negated: false,
  });
  if (mark.text === LIST_MARK) return listPlace(position);
  if (!before || !endsHere(after) || isOfInterval(tokens, index)) return undefined;
  if (before.text === 'limit' || before.text === 'offset') return at('rows');
  if (isStored(position, clause)) return at('stored');
  if (after?.text === '::' && clause !== 'having') return isCast(position) ? at('value') : undefined;
  return isCompared(position, clause) ? at('value') : undefined;
}

/** The clause that a mark is part of, when every one around it may hold parameters. */
function clauseOf(frames: readonly Frame[]): string | undefined {
  const clauses = frames.flatMap(({ clause }) => clause ?? []);
  const own = clauses.at(-1);
  return own !== undefined && BINDING.has(own) && clauses.every((clause) => AROUND.has(clause))
    ? own
    : undefined;
}

function endsHere(after: SqlToken | undefined): boolean {
  if (!after || after.kind === 'sign') return !after || [')', ',', '::'].includes(after.text);
  return after.kind === 'word' && AFTER.has(after.text);
}

function isStored({ tokens, index, frames, first }: Position, clause: string): boolean {
  const [outer, row] = frames;
  const before = tokens[index - 1];
  if (clause === 'set') return frames.length === 1 && before?.text === '=';
  if (clause !== 'values' || first !== 'insert' || frames.length !== 2 || outer?.clause !== 'values')
    return false;
  return row?.clause === undefined && (before?.text === '(' || before?.text === ',');
}

function isCompared({ tokens, index, frames }: Position, clause: string): boolean {
  if (clause === 'values') return false;
  const before = tokens[index - 1] as SqlToken;
  const frame = frames.at(-1) as Frame;
  if (COMPARISONS.has(before.text) && (before.kind === 'operator' || before.kind === 'word')) return true;
  if (before.kind === 'operator') return clause !== 'having' && isOperand(tokens[index - 2]);
  if (before.text === 'between') return true;
  if (before.text === 'and') return tokens[index - 3]?.text === 'between';
  if (before.text !== '(' && before.text !== ',') return false;
  const opener = frame.opener?.text ?? '';
  // One of `(a, b) = (?, ?)`, `in ((?, ?), …)`, `in (?)`, `= any(?)`.
  return frame.clause === undefined && (frame.inList || COMPARISONS.has(opener) || isArray(opener));
}

const isArray = (opener: string): boolean => opener === 'any' || opener === 'all' || opener === 'some';

function isCast({ tokens, index }: Position): boolean {
  const before = tokens[index - 1] as SqlToken;
  return before.kind === 'operator' || BEFORE_CAST.has(before.text);
}

function isOfInterval(tokens: readonly SqlToken[], index: number): boolean {
  let next = index + 1;
  while (tokens[next]?.text === ')') next += 1;
  const [cast, type, field] = tokens.slice(next, next + 3);
  return cast?.text === '::' && type?.text === 'interval' && FIELDS.has(field?.text ?? '');
}

/** What an operator between two values has on its left; without it the operator is a sign before the mark. */
function isOperand(token: SqlToken | undefined): boolean {
  return token !== undefined && (['name', 'number', 'text'].includes(token.kind) || token.text === ')');
}

function listPlace({ tokens, index, frames }: Position): ParameterPlace | undefined {
  const [keyword, opening, closing] = [tokens[index - 2], tokens[index - 1], tokens[index + 1]];
  if (keyword?.text !== 'in' || opening?.text !== '(' || closing?.text !== ')') return undefined;
  if (frames.at(-1)?.opener !== keyword) return undefined;
  const not = tokens[index - 3];
  const negated = not?.text === 'not' && not.kind === 'word';
  if (!mayBeArray(tokens, negated ? index - 4 : index - 3)) return undefined;
  return { kind: 'list', start: (negated ? not : keyword).start, end: closing.end, negated };
}

/** Whether the left side of IN, which ends at `last`, is all of the left side of `= ANY`, with an operator of its own type. */
function mayBeArray(tokens: readonly SqlToken[], last: number): boolean {
  // The names of objects in the catalogue are compared as numbers, which the elements of an array would have to be.
  if (tokens[last]?.text.startsWith('reg') && tokens[last - 1]?.text === '::') return false;
  let depth = 0;
  for (let index = last; index >= 0; index -= 1) {
    const { kind, text } = tokens[index] as SqlToken;
    if (kind === 'sign' && text === ')') depth += 1;
    if (kind === 'sign' && text === '(') depth -= 1;
    if (depth < 0 || (depth === 0 && (text === ',' || (kind === 'word' && ENDS.has(text))))) return true;
    if (depth === 0 && kind === 'operator' && AS_CLOSE.has(text)) return false;
  }
  return true;
}
