import type { RestorePreview, RowsByConstraint, RowsOf } from '../kit/deletion/index.ts';
import { visible } from './table.ts';

/** Counts of a restore, of a preview or done. */
export function shownCounts(
  rows: Readonly<Record<string, number>>,
  links: Readonly<Record<string, number>>,
  inserted: Readonly<Record<string, number>>,
): string {
  const parts = [
    ...Object.entries(rows).map(([name, count]) => `${count} of ${name}`),
    ...Object.entries(links).map(([name, count]) => `${count} links by ${name}`),
    ...Object.entries(inserted).map(([name, count]) => `${count} of ${name} inserted again`),
  ];
  return parts.join(', ') || 'nothing';
}

const CHANGED = {
  gone: 'removed for good',
  live: 'live again',
  moved: 'deleted again since',
  unknown: 'of a table that is not mapped here',
} as const;

/** What a restore would do and what stands in its way, one thing a line. */
export function previewLines(preview: RestorePreview): string[] {
  const { rows, relinks, reinserts, changed, liveTwins, deadAncestors, vanishedTargets } = preview;
  return [
    `A restore would bring back: ${shownCounts(rows, relinks, reinserts)}.`,
    ...changed.map((one) => `  changed        ${shownRows(one)}: ${CHANGED[one.state]}`),
    ...liveTwins.map((one) => `  live twin      ${byConstraint(one)}: a live row has its value`),
    ...deadAncestors.map((one) => `  dead ancestor  ${byConstraint(one)}: needed, and deleted itself`),
    ...vanishedTargets.map((one) => `  stays unlinked ${byConstraint(one)}: relinked, or a side is gone`),
  ];
}

const byConstraint = (one: RowsByConstraint): string => shownRows(one, ` by ${one.constraint}`);

/** Keys are the first ten. */
function shownRows({ table, rows, keys }: RowsOf, by = ''): string {
  return `${rows} of ${table}${by} (${keys.map(visible).join(', ')}${rows > keys.length ? ', …' : ''})`;
}
