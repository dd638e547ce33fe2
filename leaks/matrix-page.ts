import type { Matrix, MatrixRow } from './matrix.ts';

/** What a reader needs to get the same page again. */
export interface Versions {
  readonly mikroOrm: string;
  readonly postgresql: string;
  readonly node: string;
}

const HEAD = ['stock MikroORM', 'documented recipe', 'Tombstone'];

/** The whole page, from nothing but the run's own results. It holds no date, so that the same versions give the same page. */
export function matrixPage({ all, verbs, relations, notRun }: Matrix, versions: Versions): string {
  return [
    '# Which ways to a deleted row are shut',
    `MikroORM ${versions.mikroOrm}, PostgreSQL ${versions.postgresql}, Node ${versions.node}. Each probe plants a row for itself, ` +
      'and first meets it with the guard off. A cell tells how many of the probes were answered rightly.',
    table('', [all]),
    '## By verb',
    table('Verb', verbs),
    '## By kind of relation and load strategy',
    table('Relation', relations),
    '## Not run',
    notRun.map(({ name, note }) => `- \`${name}\`: ${note}`).join('\n') || 'Nothing.',
  ].join('\n\n');
}

function table(title: string, rows: readonly MatrixRow[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
  return [
    line([title, 'Probes', ...HEAD]),
    line([title, 'Probes', ...HEAD].map(() => '---')),
    ...rows.map(({ group, probes, right }) =>
      line([group, probes, ...right.map((count) => (count === probes ? `✓ ${count}` : `✗ ${count}`))]),
    ),
  ].join('\n');
}
