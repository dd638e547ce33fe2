import type { Id } from '../../kit/columns/index.ts';
import { checkJsonObject, checkOptionalId, checkText } from '../../kit/input/index.ts';
import type { NewSchedulerEvent, SchedulerEventType } from './enqueue-event.ts';

/** An event of a caller who may leave out what it has not; ids up to zero are none. @throws InvalidInputError VALIDATION. */
export function checkedEvent(
  eventType: SchedulerEventType,
  accountId?: Id | null,
  groupId?: Id | null,
  payload?: Readonly<Record<string, unknown>> | null,
): NewSchedulerEvent {
  return {
    // Not compared with the known types: a program may write what only a newer reader understands.
    eventType: checkText('eventType', eventType, { filled: true }) as SchedulerEventType,
    accountId: checkOptionalId('accountId', accountId),
    groupId: checkOptionalId('groupId', groupId),
    ...(payload !== undefined && payload !== null && { payload: checkJsonObject('payload', payload) }),
  };
}
