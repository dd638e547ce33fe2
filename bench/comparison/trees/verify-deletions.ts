import type { Client } from 'pg';
import type { Ground } from '../ground.ts';
import { inputsOf } from '../inputs.ts';
import type { DeletionName } from './deletions.ts';

/** What is left of an owner's rows. */
interface Left {
  readonly projects: number;
  readonly tasks: number;
  readonly live: number;
  /** Marked just now. */
  readonly marked: number;
  /** Dead since three days, as before. */
  readonly before: number;
}

/** Of an owner, or with `false` of all others. */
const LEFT = `with own as (
    select p.deleted_at, true as is_project from projects p where (owner_id = $1) = $2
    union all
    select t.deleted_at, false from tasks t join projects p on p.id = t.project_id where (p.owner_id = $1) = $2
    /* soft-delete: dead rows too, because it tells which are */
  )
  select count(*) filter (where is_project)::int as projects, count(*) filter (where not is_project)::int as tasks,
    count(*) filter (where deleted_at is null)::int as live,
    count(*) filter (where deleted_at > now() - interval '1 hour')::int as marked,
    count(*) filter (where deleted_at between now() - interval '73 hours' and now() - interval '71 hours')::int as before
  from own`;

const leftOf = async (client: Client, owner: string, isOwn: boolean): Promise<Left> =>
  (await client.query<Left>(LEFT, [owner, isOwn])).rows[0] as Left;

type Expected = (planted: Left) => Left;

const EXPECTED: { readonly [Name in DeletionName]: Expected } = {
  cascade: (planted) => ({ ...planted, live: 0, marked: planted.projects + planted.tasks - 1 }),
  'cascade-small': (planted) => EXPECTED.cascade(planted),
  restore: (planted) => ({ ...planted, marked: 0, live: planted.projects + planted.tasks - 1 }),
  'restore-small': (planted) => EXPECTED.restore(planted),
  purge: () => ({ projects: 0, tasks: 0, live: 0, marked: 0, before: 0 }),
};

/** Sees that exactly what is to fall, to live again or to go does so: not what was dead before, nor what is others'. */
export async function deletesDifferently(
  name: DeletionName,
  ground: Ground,
  run: (inputs: unknown[]) => Promise<unknown>,
): Promise<string | undefined> {
  const { client, trees } = ground;
  // Those of another owner; a purge asks for none, and would remove them.
  await inputsOf(name === 'purge' ? 'cascade' : name, { first: 0, count: 1 }, ground);
  const inputs = await inputsOf(name, { first: 0, count: 1 }, ground);
  const look = () =>
    Promise.all([leftOf(client, trees.lastOwner, true), leftOf(client, trees.lastOwner, false)]);
  const [planted, others] = await look();
  await run(inputs);
  const [found, othersFound] = await look();
  const expected = EXPECTED[name](planted);
  if (JSON.stringify(found) !== JSON.stringify(expected))
    return `expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`;
  if (JSON.stringify(othersFound) !== JSON.stringify(others))
    return `rows of others were ${JSON.stringify(others)}, and are ${JSON.stringify(othersFound)}`;
  return undefined;
}
