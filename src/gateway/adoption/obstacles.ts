import type { AdoptionObstacle } from '../../kit/migrations/index.ts';

/** A file of ours refuses these when it runs; asked beforehand, nothing has been changed yet. */
const promoCodesInTwoCases: AdoptionObstacle = {
  object: 'public.promo_codes.code',
  count: `SELECT count(*)::int FROM public.promo_codes p
WHERE EXISTS (SELECT FROM public.promo_codes other WHERE upper(other.code) = upper(p.code) AND other.id <> p.id)`,
  query: `SELECT upper(code), array_agg(id ORDER BY id) AS ids, array_agg(used_count ORDER BY id) AS uses
FROM public.promo_codes GROUP BY upper(code) HAVING count(*) > 1`,
  columns: ['public.promo_codes.id', 'public.promo_codes.code', 'public.promo_codes.used_count'],
  text: 'Promo codes differ in the case of their letters only, and a code is found by any case. Rename or delete all but one of each.',
};

const ONLY_IN_TABLE = `SELECT user_id, group_id FROM public.user_allowed_groups
EXCEPT SELECT u.id, allowed.group_id FROM public.users u /* soft-delete: all rows, because a deleted user keeps its groups */
CROSS JOIN LATERAL unnest(u.allowed_groups) AS allowed (group_id)`;

/** The back-fill is not verified over these: a program may have taken the right out of the array, and out of nothing else. */
const pairsWithoutElement: AdoptionObstacle = {
  object: 'public.user_allowed_groups',
  file: 'gateway/007_add_user_allowed_groups.sql',
  count: `SELECT count(*)::int FROM (${ONLY_IN_TABLE}) pairs`,
  query: ONLY_IN_TABLE,
  columns: [
    'public.users.id',
    'public.users.allowed_groups',
    'public.user_allowed_groups.user_id',
    'public.user_allowed_groups.group_id',
  ],
  text: 'Groups are allowed in the table and not in the array of the user, so that nobody can say whether the right was given or taken away. Delete the pair, or add the group to the array.',
};

/** What no unique or key of a file tells, because the file changes the rows before it builds its index, or compares them itself. */
export const adoptionObstacles: readonly AdoptionObstacle[] = [promoCodesInTwoCases, pairsWithoutElement];
