import { type Directive, directivesIn, syntaxError } from '../directive.ts';
import type { ParsedMigration } from '../parsed-migration.ts';
import { type Version, versionOf } from './version.ts';

/** The oldest version of running code that a file may meet. */
export interface RequiredCode {
  /** Undefined for every service that is registered. */
  readonly service: string | undefined;
  readonly version: Version;
}

/**
 * What a file says of itself by `-- +tombstone phase=contract requires-code>=1.4.0 requires-backfill=gateway/007_x.sql`:
 * `expand` only adds, `migrate` moves data, `contract` takes away what older code still needs.
 */
export interface Phase {
  readonly name: 'expand' | 'migrate' | 'contract';
  readonly requiresCode: readonly RequiredCode[];
  /** Files as the ledger names them, whose back-fills must be verified. */
  readonly requiresBackfills: readonly string[];
}

const EXAMPLE = 'Write for example "-- +tombstone phase=contract requires-code>=1.4.0".';
const PHASES = ['expand', 'migrate', 'contract'] as const;
export const SERVICE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/**
 * Gives a parsed file the phase that it declares.
 *
 * @throws MigrationSyntaxError
 */
export function withPhase<T extends ParsedMigration>(
  file: string,
  text: string,
  parsed: T,
): T & { readonly phase?: Phase } {
  const [directive, second] = directivesIn(text).filter(({ word }) => word === 'phase');
  if (!directive) return parsed;
  if (second) throw syntaxError(file, second, 'A file has one phase. Remove this line.');
  if (directive.column !== 1)
    throw syntaxError(file, directive, 'A phase stands in column 1, on a line of its own.');
  return { ...parsed, phase: readPhase(file, directive) };
}

function readPhase(file: string, directive: Directive): Phase {
  const refuse = (problem: string): Error => syntaxError(file, directive, problem);
  const [, value = '', rest = ''] = /^=(\S*)(.*)$/.exec(directive.rest) ?? [];
  const name = PHASES.find((known) => known === value);
  if (!name) throw refuse(`A phase is expand, migrate or contract. ${EXAMPLE}`);
  const requiresCode: RequiredCode[] = [];
  const requiresBackfills: string[] = [];
  for (const word of rest.split(/\s+/).filter((each) => each !== '')) {
    const backfill = /^requires-backfill=([^/\s]+\/\S+\.sql)$/.exec(word)?.[1];
    const code = requiredCode(word);
    if (backfill !== undefined) requiresBackfills.push(backfill);
    else if (code) requiresCode.push(code);
    else
      throw refuse(
        `"${word}" is no requirement. ${EXAMPLE} Or requires-code=SERVICE>=1.4.0, requires-backfill=MODULE/FILE.sql.`,
      );
  }
  const count = requiresCode.length + requiresBackfills.length;
  if (name === 'contract' && count === 0) throw refuse(`A contract step says what it waits for. ${EXAMPLE}`);
  if (name !== 'contract' && count > 0)
    throw refuse('Only a contract step has requirements. Remove them, or write phase=contract.');
  return { name, requiresCode, requiresBackfills };
}

function requiredCode(word: string): RequiredCode | undefined {
  const [, service, text = ''] = /^requires-code(?:=([^>=]+))?>=(.+)$/.exec(word) ?? [];
  const version = versionOf(text);
  if (!version || (service !== undefined && !SERVICE.test(service))) return undefined;
  return { service, version };
}
