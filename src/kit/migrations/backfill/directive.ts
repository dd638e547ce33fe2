import { type Directive, syntaxError } from '../directive.ts';

/** How a back-fill spares the server: a pause behind each batch, or a share of the time that batches may take. */
export type Throttle =
  { readonly kind: 'pause'; readonly ms: number } | { readonly kind: 'share'; readonly percent: number };

/** `-- +tombstone backfill table=users key=id batch=1000 throttle=50% max-lag=5s passes=3`, above the statement of one batch. */
export interface BackfillDirective {
  readonly kind: 'backfill';
  /** As the file writes it. */
  readonly table: string;
  /** The column by which batches are cut, as the file writes it. */
  readonly key: string;
  /** Keys in a batch. */
  readonly batch: number;
  readonly throttle: Throttle | undefined;
  /** How far standbys may be behind before the next batch; undefined: nobody looks. */
  readonly maxLagMs: number | undefined;
  /** How often a run goes through the table before it gives up because rows are still missing. */
  readonly passes: number;
}

/** What a row of a verification is: the copy lacks it, the copy should not have it, or both sides differ in it. */
export type Side = 'missing' | 'unexpected' | 'different';

/** `-- +tombstone verify missing`, above a SELECT that must return no row. */
export interface VerifyDirective {
  readonly kind: 'verify';
  readonly side: Side;
}

export const SIDES: readonly Side[] = ['missing', 'unexpected', 'different'];

const IDENTIFIER = String.raw`(?:[A-Za-z_][\w$]*|"(?:[^"]|"")+")`;
const COLUMN = new RegExp(`^${IDENTIFIER}$`);
const TABLE = new RegExp(`^${IDENTIFIER}(?:\\.${IDENTIFIER})?$`);
const PAIR = /([\w-]+)=((?:"(?:[^"]|"")*"|[^\s"])+)(?:\s+|$)/y;
const MAX_BATCH = 100_000;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000 };

/** @throws MigrationSyntaxError */
export function readBackfill(file: string, directive: Directive): BackfillDirective {
  const refuse = (problem: string): Error => syntaxError(file, directive, problem);
  const options = pairsOf(directive.rest);
  const unknown = [...(options?.keys() ?? [])].find((name) => !OPTIONS.has(name));
  if (!options || unknown !== undefined)
    throw refuse(
      `${unknown ? `"${unknown}" is no option. ` : ''}Write for example "-- +tombstone backfill table=users key=id batch=1000".`,
    );
  const {
    table = '',
    key = '',
    batch = '1000',
    throttle,
    passes = '1',
    ...rest
  } = Object.fromEntries(options);
  if (!TABLE.test(table)) throw refuse('table= takes the name of a table, such as users or public.users.');
  if (key.includes(','))
    throw refuse('A back-fill is cut by one column. Name one that is unique and NOT NULL by itself.');
  if (!COLUMN.test(key)) throw refuse('key= takes the name of a column that is unique and NOT NULL.');
  const pause = throttle === undefined ? undefined : throttleOf(throttle);
  if (throttle !== undefined && !pause)
    throw refuse('throttle= takes a pause such as 200ms, or a share of the time such as 50%.');
  const maxLag = rest['max-lag'];
  const maxLagMs = maxLag === undefined ? undefined : timeOf(maxLag);
  if (maxLag !== undefined && maxLagMs === undefined)
    throw refuse('max-lag= takes how far standbys may be behind, such as 5s.');
  const size = countOf(batch, MAX_BATCH);
  if (size === undefined) throw refuse(`batch= takes a number of keys from 1 to ${MAX_BATCH}.`);
  const rounds = countOf(passes, 10);
  if (rounds === undefined) throw refuse('passes= takes a number from 1 to 10.');
  return { kind: 'backfill', table, key, batch: size, throttle: pause, maxLagMs, passes: rounds };
}

/** @throws MigrationSyntaxError */
export function readVerify(file: string, directive: Directive): VerifyDirective {
  const side = SIDES.find((known) => known === directive.rest.toLowerCase());
  if (side) return { kind: 'verify', side };
  throw syntaxError(
    file,
    directive,
    'Say what a row of this SELECT is: "verify missing" (the copy lacks it), "verify unexpected" (the copy should not have it) or "verify different".',
  );
}

const OPTIONS = new Set(['table', 'key', 'batch', 'throttle', 'max-lag', 'passes']);

/** Undefined for a text that is not a list of pairs, or names one twice. */
function pairsOf(text: string): Map<string, string> | undefined {
  const pairs = new Map<string, string>();
  PAIR.lastIndex = 0;
  for (let at = 0; at < text.length; at = PAIR.lastIndex) {
    const [, name = '', value = ''] = PAIR.exec(text) ?? [];
    if (name === '' || pairs.has(name)) return undefined;
    pairs.set(name, value);
  }
  return pairs;
}

function throttleOf(text: string): Throttle | undefined {
  const ms = timeOf(text);
  if (ms !== undefined) return { kind: 'pause', ms };
  const percent = text.endsWith('%') ? countOf(text.slice(0, -1), 100) : undefined;
  return percent === undefined ? undefined : { kind: 'share', percent };
}

function timeOf(text: string): number | undefined {
  const [, amount, unit = ''] = /^(\d{1,6})(ms|s|min)$/.exec(text) ?? [];
  return amount === undefined ? undefined : Number(amount) * (UNITS[unit] ?? 1);
}

function countOf(text: string, most: number): number | undefined {
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  return count >= 1 && count <= most ? count : undefined;
}
