import type { OnlineFile } from '../../kit/migrations/index.ts';

/** An element of an array that is neither in the table nor recorded as an orphan. */
const OPEN = `allowed.group_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM public.user_allowed_groups a WHERE a.user_id = u.id AND a.group_id = allowed.group_id)
  AND NOT EXISTS (SELECT FROM public.orphan_allowed_groups_audit o WHERE o.user_id = u.id AND o.group_id = allowed.group_id)`;

const ELEMENTS = `/* soft-delete: all rows, because a deleted user keeps its groups */
  CROSS JOIN LATERAL unnest(u.allowed_groups) AS allowed (group_id)`;

/** What 025 does with the users of a condition: pairs with a group go into the table, the others into the audit. */
const settle = (users: string): string => `WITH elements AS (
  SELECT DISTINCT u.id AS user_id, allowed.group_id, EXISTS (SELECT FROM public.groups g WHERE g.id = allowed.group_id) AS has_group
  FROM ${users} u ${ELEMENTS} WHERE %CONDITION% AND ${OPEN}
), orphans AS (
  INSERT INTO public.orphan_allowed_groups_audit (user_id, group_id)
  SELECT user_id, group_id FROM elements WHERE NOT has_group ON CONFLICT DO NOTHING
)
INSERT INTO public.user_allowed_groups (user_id, group_id)
SELECT user_id, group_id FROM elements WHERE has_group ON CONFLICT DO NOTHING`;

/** Held, they show what is committed: an element that a program takes out at this moment would come back as a pair. */
const HELD = `(SELECT u.id, u.allowed_groups FROM public.users u /* soft-delete: all rows */
  WHERE u.id BETWEEN $1 AND $2 AND EXISTS (SELECT FROM unnest(u.allowed_groups) AS allowed (group_id) WHERE ${OPEN})
  ORDER BY u.id FOR NO KEY UPDATE)`;

const MIRROR = 'public.tombstone_adopt_mirror_groups';

/**
 * The file reads all users while nobody can use them, which takes seconds for a million. Here a trigger carries over what a
 * program still writes into an array, the others are gone through in windows, and what is left for the lock is to drop the
 * column. As in the file, a pair that only one side has is kept, whichever side that is.
 */
export const onlineFiles: readonly OnlineFile[] = [
  {
    file: 'gateway/025_drop_users_allowed_groups.sql',
    table: 'public.users',
    begin: `CREATE OR REPLACE FUNCTION ${MIRROR}() RETURNS trigger LANGUAGE plpgsql AS $mirror$
BEGIN
  ${settle('(SELECT NEW.id, NEW.allowed_groups)').replace('%CONDITION%', 'true')};
  RETURN NULL;
END
$mirror$;
DROP TRIGGER IF EXISTS tombstone_adopt_mirror_groups ON public.users;
CREATE TRIGGER tombstone_adopt_mirror_groups AFTER INSERT OR UPDATE OF allowed_groups ON public.users
  FOR EACH ROW EXECUTE FUNCTION ${MIRROR}();
ALTER TABLE public.users ENABLE ALWAYS TRIGGER tombstone_adopt_mirror_groups`,
    left: `SELECT u.id FROM public.users u WHERE EXISTS (
  SELECT FROM unnest(u.allowed_groups) AS allowed (group_id) WHERE ${OPEN}) /* soft-delete: all rows */ ORDER BY u.id`,
    statement: settle(HELD).replace('%CONDITION%', 'true'),
    end: `DROP TRIGGER tombstone_adopt_mirror_groups ON public.users;
DROP FUNCTION ${MIRROR}();
ALTER TABLE public.users DROP COLUMN allowed_groups`,
  },
];
