import { type EntityMetadata, ReferenceKind } from '@mikro-orm/core';
import type { LeakReport, ProbeResult } from 'tombstone/testing';

/** The reports of one run, by system. */
export type Reports = Record<'tombstone' | 'recipe' | 'stock', LeakReport>;

/** How many probes a group has, and how many of them each system answers rightly, in the order of {@link SYSTEMS}. */
export interface MatrixRow {
  readonly group: string;
  readonly probes: number;
  readonly right: readonly number[];
}

/** What a run found, in numbers: groups are in the order of the run. */
export interface Matrix {
  readonly all: MatrixRow;
  readonly verbs: readonly MatrixRow[];
  readonly relations: readonly MatrixRow[];
  readonly notRun: readonly Pick<ProbeResult, 'name' | 'note'>[];
}

export const SYSTEMS = ['stock', 'recipe', 'tombstone'] as const;

export function matrixOf(reports: Reports, metadata: Iterable<EntityMetadata>): Matrix {
  const kindOf = relationKinds(metadata);
  const byRelation = (result: ProbeResult): string | undefined => {
    const kind = kindOf(result);
    return kind && `${kind}: ${result.verb}`;
  };
  const [all] = rowsBy(reports, () => 'all verbs');
  return {
    all: all ?? { group: 'all verbs', probes: 0, right: SYSTEMS.map(() => 0) },
    verbs: rowsBy(reports, ({ verb }) => verb),
    relations: rowsBy(reports, byRelation),
    notRun: reports.tombstone.results
      .filter((result) => result.verdict === 'except')
      .map(({ name, note }) => ({ name, note })),
  };
}

/** The results that count: those of probes that were run. */
export const ran = ({ results }: LeakReport): ProbeResult[] =>
  results.filter((result) => result.verdict !== 'except');

/** How many of the probes one system answered rightly, and how many not. */
export function sums(report: LeakReport): { right: number; wrong: number } {
  const right = ran(report).filter((result) => result.verdict === 'tight').length;
  return { right, wrong: ran(report).length - right };
}

function rowsBy(reports: Reports, groupOf: (result: ProbeResult) => string | undefined): MatrixRow[] {
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
