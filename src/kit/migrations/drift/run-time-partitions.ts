import type { SchemaDifference } from './difference.ts';

/**
 * The differences without partitions that no file has made, and without what belongs to them: months come and go while a
 * service runs. A partition that a file has made, and the table that is divided, are compared like everything else.
 */
export function withoutRunTimePartitions(differences: readonly SchemaDifference[]): SchemaDifference[] {
  const partitions = differences.filter(isNewPartition).map(({ name }) => name);
  return differences.filter((each) => !partitions.some((partition) => belongsTo(each, partition)));
}

function isNewPartition({ kind, expected, actual }: SchemaDifference): boolean {
  return kind === 'table' && expected === undefined && actual?.startsWith('table partition of ') === true;
}

/** Parts begin with the name of their table, and were left out with it; an index names its table in its definition. */
function belongsTo({ kind, name, expected, actual }: SchemaDifference, partition: string): boolean {
  if (expected !== undefined) return false;
  if (kind === 'index') return actual?.includes(` ON ${partition} USING `) === true;
  return name === partition || name.startsWith(`${partition}.`);
}
