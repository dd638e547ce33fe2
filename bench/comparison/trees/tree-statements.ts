/** The SQL of the floor for deletions: one bare statement for each level, children first where the parents are asked for. */

const MARKED = 'set deleted_at = now(), updated_at = now()';
const LIFTED = 'set deleted_at = null, updated_at = now()';

export const DELETE_TASKS_OF_OWNER = `update tasks ${MARKED} where deleted_at is null
  and project_id in (select id from projects where owner_id = $1 and deleted_at is null)`;
export const DELETE_PROJECTS_OF_OWNER = `update projects ${MARKED} where owner_id = $1 and deleted_at is null`;

/** Both levels at once. */
export const DELETE_OF_OWNER = `with gone as (${DELETE_PROJECTS_OF_OWNER} returning id)
  update tasks ${MARKED} from gone where project_id = gone.id and deleted_at is null`;

// soft-delete: dead rows, because they are what is restored; what fell together has the same instant. It is given as text:
// drivers make a Date of a timestamptz, without its microseconds.
export const RESTORE_TASKS_OF_OWNER = `update tasks ${LIFTED} where deleted_at = $2::text::timestamptz
  and project_id in (select id from projects where owner_id = $1 and deleted_at = $2::text::timestamptz)`;
export const RESTORE_PROJECTS_OF_OWNER = `update projects ${LIFTED} where owner_id = $1 and deleted_at = $2::text::timestamptz`;

// soft-delete: dead rows, because they are what is removed
export const PURGE_TASKS = `delete from tasks where id in (
  select id from tasks where deleted_at < now() - make_interval(days => $1) order by deleted_at limit $2)`;
export const PURGE_PROJECTS = `delete from projects where id in (
  select p.id from projects p where p.deleted_at < now() - make_interval(days => $1)
    and not exists (select from tasks t where t.project_id = p.id) order by p.deleted_at limit $2)`;
