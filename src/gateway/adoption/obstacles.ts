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

/** Duplicates that no unique of a file tells, because a file changes the rows before it builds its index. */
export const adoptionObstacles: readonly AdoptionObstacle[] = [promoCodesInTwoCases];
