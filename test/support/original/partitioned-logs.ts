import type { OriginalTable } from './table.ts';

const BOUNDS = [
  ['usage_logs_old', "from (minvalue) to ('2026-01-01 00:00:00+00')"],
  ['usage_logs_202601', "from ('2026-01-01 00:00:00+00') to ('2026-02-01 00:00:00+00')"],
  ['usage_logs_202602', "from ('2026-02-01 00:00:00+00') to ('2026-03-01 00:00:00+00')"],
] as const;

/** The logs as somebody has divided them by hand: the key has the time in it, and there is no unique over requests. */
export function partitionedLogs({ name, columns }: OriginalTable): string {
  const lines = columns.map((column) => `${column.name} ${column.text.replace(' PRIMARY KEY', '')}`);
  return [
    `create table public.${name} (${lines.join(', ')}, primary key (id, created_at)) partition by range (created_at)`,
    ...BOUNDS.map(
      ([part, bounds]) => `create table public.${part} partition of public.${name} for values ${bounds}`,
    ),
    `create table public.usage_logs_rest partition of public.${name} default`,
  ].join('; ');
}
