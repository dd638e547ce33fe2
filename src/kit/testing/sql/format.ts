import type { Unguarded } from './unguarded.ts';
import type { SqlFinding } from './watch.ts';

const SAYS: Readonly<Record<Unguarded['reason'], string>> = {
  read: 'is read without a predicate on its deleted_at: add live(Entity, alias) to its WHERE or ON',
  update: 'is updated without a predicate on its deleted_at: add live(Entity, alias) to the WHERE',
  conflict: 'is updated by ON CONFLICT without a predicate: add DO UPDATE … WHERE with live(Entity, alias)',
  merge: 'is updated by MERGE without a predicate: add live(Entity, alias) to the condition of WHEN',
  delete: 'loses rows for good: use em.nativeDelete, or run it inside skipSoftDelete',
  truncate: 'loses all rows for good: run it inside skipSoftDelete',
  body: 'A DO block or a function keeps its statements in a text: read it, then say so in a waiver',
  unreadable: "PostgreSQL's grammar does not know this statement: write it so that it can be read alone",
};

const WAIVE = 'A statement that means dead rows too says why: /* soft-delete: all rows, because … */';

/** The findings as text: what is wrong and what to do, then the statement, which holds no values. Empty for none. */
export function formatSqlFindings(findings: readonly SqlFinding[]): string {
  if (findings.length === 0) return '';
  const entries = findings.map(
    (finding) => `${subjectOf(finding)}${SAYS[finding.reason]}\n    ${finding.statement}`,
  );
  return [...entries, WAIVE].join('\n');
}

function subjectOf({ table, alias }: SqlFinding): string {
  if (!table) return '';
  return alias === table || table.endsWith(`.${alias}`) ? `${table} ` : `${table} (as ${alias}) `;
}
