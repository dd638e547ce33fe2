/** Its name in each schema that has guarded tables; a second migration replaces it by the same. */
export const BACKSTOP_FUNCTION = '"tombstone_backstop"';

/**
 * The function behind every trigger of the backstop. It never returns NULL: a row that a trigger swallows is a row that a
 * foreign key's CASCADE believes to be gone, and its own key is left dangling.
 *
 * The role is the one that acts for the client, `SET ROLE` included. `current_user` would be wrong: an action of a foreign
 * key runs as the owner of the table.
 */
export const createFunction = (name: string): string => `CREATE OR REPLACE FUNCTION ${name}() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $backstop$
DECLARE
  acting name := coalesce(nullif(current_setting('role'), 'none'), session_user);
BEGIN
  -- The arguments are the roles that it holds for; without any, it holds for everyone.
  IF TG_NARGS > 0 AND NOT EXISTS (
    SELECT FROM pg_roles guarded, pg_roles own
    WHERE own.rolname = acting AND guarded.rolname = ANY (TG_ARGV)
      AND (guarded.oid = own.oid OR (NOT own.rolsuper AND pg_has_role(own.oid, guarded.oid, 'USAGE')))
  ) THEN
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
  END IF;
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION USING ERRCODE = 'TS001', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
      MESSAGE = format('rows of %I.%I are marked as deleted, not removed', TG_TABLE_SCHEMA, TG_TABLE_NAME),
      HINT = 'Work that means to remove them sets tombstone.skip_soft_delete to on, for its transaction (SET LOCAL).';
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'TS002', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
    MESSAGE = format('a row of %I.%I that is marked as deleted is not changed', TG_TABLE_SCHEMA, TG_TABLE_NAME),
    HINT = 'Work that means to change it sets tombstone.skip_soft_delete to on, for its transaction (SET LOCAL).';
END
$backstop$;`;

/** Asked after the triggers are gone; other modules may have some of their own on the same function. */
export const dropUnusedFunction = (name: string): string => `DO $unused$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgfoid = pg_catalog.to_regprocedure('${name.replaceAll("'", "''")}()')) THEN
    DROP FUNCTION IF EXISTS ${name}();
  END IF;
END
$unused$;`;
