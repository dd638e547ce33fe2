import { type EntityMetadata, ReferenceKind } from '@mikro-orm/core';
import type { LeakReport, ProbeResult } from 'tombstone/testing';

/** The reports of one run, by system. */
export type Reports = Record<'tombstone' | 'recipe' | 'stock', LeakReport>;

/** What a reader needs to get the same page again. */
export interface Versions {
  readonly mikroOrm: string;
  readonly postgresql: string;
  readonly node: string;
}

const SYSTEMS = ['stock', 'recipe', 'tombstone'] as const;
const HEAD = ['stock MikroORM', 'documented recipe', 'Tombstone'];

/** The results that count: those of probes that were run. */
export const ran = ({ results }: LeakReport): ProbeResult[] =>
  results.filter((result) => result.verdict !== 'except');

/** How many of the probes one system answered rightly, and how many not. */
export function sums(report: LeakReport): { right: number; wrong: number } {
  const right = ran(report).filter((result) => result.verdict === 'tight').length;
  return { right, wrong: ran(report).length - right };
}

/** The groups of probes, in the order of the run, with the number of right answers of each system. */
export function rowsBy(
  reports: Reports,
  groupOf: (result: ProbeResult) => string | undefined,
): { readonly group: string; readonly probes: number; readonly right: readonly number[] }[] {
  const groups = new Set(ran(reports.tombstone).flatMap((result) => groupOf(result) ?? []));
  return [...groups].map((group) => {
    const of = (report: LeakReport): ProbeResult[] =>
      ran(report).filter((result) => groupOf(result) === group);
    return {
      group,
      probes: of(reports.tombstone).length,
      right: SYSTEMS.map((name) => of(reports[name]).filter(({ verdict }) => verdict === 'tight').length),
    };
  });
}

/** The whole page, from nothing but the run's own results. It holds no date, so that the same versions give the same page. */
export function matrixPage(reports: Reports, metadata: Iterable<EntityMetadata>, versions: Versions): string {
  const kindOf = relationKinds(metadata);
  const byRelation = (result: ProbeResult): string | undefined => {
    const kind = kindOf(result);
    return kind && `${kind}: ${result.verb}`;
  };
  const notRun = reports.tombstone.results.filter((result) => result.verdict === 'except');
  return [
    '# Which ways to a deleted row are shut',
    `MikroORM ${versions.mikroOrm}, PostgreSQL ${versions.postgresql}, Node ${versions.node}. Each probe plants a row for itself, ` +
      'and first meets it with the guard off. A cell tells how many of the probes were answered rightly.',
    table('', [{ group: 'all verbs', ...totals(reports) }]),
    '## By verb',
    table(
      'Verb',
      rowsBy(reports, ({ verb }) => verb),
    ),
    '## By kind of relation and load strategy',
    table('Relation', rowsBy(reports, byRelation)),
    '## Not run',
    notRun.map(({ name, note }) => `- \`${name}\`: ${note}`).join('\n') || 'Nothing.',
  ].join('\n\n');
}

/** The number of probes, and of right answers of each system. */
export function totals(reports: Reports): { probes: number; right: number[] } {
  return { probes: ran(reports.tombstone).length, right: SYSTEMS.map((name) => sums(reports[name]).right) };
}

function table(title: string, rows: ReturnType<typeof rowsBy>): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
  return [
    line([title, 'Probes', ...HEAD]),
    line([title, 'Probes', ...HEAD].map(() => '---')),
    ...rows.map(({ group, probes, right }) =>
      line([group, probes, ...right.map((count) => (count === probes ? `✓ ${count}` : `✗ ${count}`))]),
    ),
  ].join('\n');
}

const KINDS: Readonly<Record<string, string>> = {
  [ReferenceKind.MANY_TO_ONE]: 'many-to-one',
  [ReferenceKind.ONE_TO_ONE]: 'one-to-one',
  [ReferenceKind.ONE_TO_MANY]: 'one-to-many',
  [ReferenceKind.MANY_TO_MANY]: 'many-to-many',
};

/** The kind of the relation that a probe goes over; undefined for a probe of an entity by itself. */
function relationKinds(metadata: Iterable<EntityMetadata>): (result: ProbeResult) => string | undefined {
  const kinds = new Map<string, string>();
  for (const meta of metadata) {
    for (const prop of meta.relations) kinds.set(`${meta.className}.${prop.name}`, nameOfKind(prop));
  }
  return ({ name, verb }) => kinds.get(name.slice(0, -verb.length - 1));
}

function nameOfKind(prop: EntityMetadata['relations'][number]): string {
  const kind = KINDS[prop.kind] ?? prop.kind;
  if (prop.kind === ReferenceKind.ONE_TO_ONE) return `${kind}, ${prop.owner ? 'owner' : 'inverse'}`;
  if (prop.kind === ReferenceKind.MANY_TO_ONE) return `${kind}, ${prop.nullable ? 'nullable' : 'NOT NULL'}`;
  return kind;
}
