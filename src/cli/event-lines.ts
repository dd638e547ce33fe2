import { describeBackfill } from './backfill-progress.ts';
import { describeHolder, type MigrationEvent } from '../kit/migrations/index.ts';
import { describeStatement } from './statement-progress.ts';

/** What a person is told of an event beside the progress of files; undefined for those that are the progress. */
export function lineAbout(event: MigrationEvent): string | undefined {
  switch (event.type) {
    case 'note':
      return `note: ${event.file}${event.line === undefined ? '' : `:${event.line}`}: ${event.text}`;
    case 'waiting-for-lock': {
      const who = event.holder ? `: ${describeHolder(event.holder)}` : '';
      return `waiting for another run to end, ${Math.round(event.ms / 1000)} s so far${who}`;
    }
    case 'retrying':
      return `no lock for ${event.name} [${event.sqlState}], attempt ${event.attempt} of ${event.of}; again in ${Math.round(event.pauseMs)} ms`;
    case 'resuming':
      return `${event.name} was begun by an earlier run; going on with statement ${event.statement} of ${event.of}`;
    case 'removed-remains':
      return `${event.name}: dropped ${event.index === null ? 'an invalid index' : `the invalid index ${event.index}`} that a failed build had left; building it again`;
    case 'waiting-for-replica':
      return `${event.name}: waiting for the standby ${event.application || 'without a name'}, ${(event.lagMs / 1000).toFixed(1)} s behind, ${event.maxLagMs / 1000} s allowed`;
    case 'partition-index':
      return `${event.name}: built the index of ${event.partition ?? 'a partition'}, ${event.built} of ${event.of}`;
    case 'backfill':
      return describeBackfill(event);
    case 'statement-progress':
      return `${event.name}: ${describeStatement(event)}`;
    default:
      return undefined;
  }
}
