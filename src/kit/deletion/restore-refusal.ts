import { RestoreError } from './restore-error.ts';
import type { RestorePreview } from './restore-preview.ts';

/** What to do when rows of the batch were purged, or restored or deleted again by themselves since. */
export type ChangedPolicy = 'refuse' | 'skip';

/** The error that a restore of an unrestored batch would end with, by its preview; undefined when it would succeed. */
export function restoreRefusal(
  preview: RestorePreview,
  changed: ChangedPolicy = 'refuse',
): RestoreError | undefined {
  const isLeft = Object.keys(preview.rows).length > 0;
  const isGone = preview.changed.length > 0 && preview.changed.every(({ state }) => state === 'gone');
  if (!isLeft && isGone) return RestoreError.purged(preview);
  if (preview.changed.length > 0 && (changed === 'refuse' || !isLeft))
    return RestoreError.incomplete(preview);
  const isHindered = preview.liveTwins.length > 0 || preview.deadAncestors.length > 0;
  return isHindered ? RestoreError.conflict(preview) : undefined;
}
