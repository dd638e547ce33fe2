import type { SchemaDescription } from '../../drift/description.ts';
import type { Session } from '../../session.ts';
import type { Blocker } from './align-step.ts';

export async function findBlockers(
  _session: Session,
  _request: { target: SchemaDescription; live: SchemaDescription; repaired: readonly string[] },
): Promise<Blocker[]> {
  return [];
}
