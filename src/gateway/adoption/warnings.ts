import type { AdoptionWarning } from '../../kit/migrations/index.ts';

const ADMIN = `u.role = 'admin' AND u.status = 'active' AND u.deleted_at IS NULL`;

// The default group came by the same script as the administrator. now() is the start of the transaction, to the microsecond,
// so two rows have the same one only when one transaction stored both.
const WITH_DEFAULT_GROUP = `EXISTS (SELECT FROM public.groups g WHERE g.name = 'default' AND g.created_at = u.created_at)`;

const ADMIN_COLUMNS = ['role', 'status', 'created_at', 'deleted_at'].map(
  (column) => `public.users.${column}`,
);

const ADMIN_TEXT =
  'An active administrator was stored by the first script of the original, whose early form has a published e-mail and password. Set another password, unless that was done since, or disable the account.';

/** The password itself is not known here, so it cannot be compared: what is asked is where the row came from. */
const seededAdmin: AdoptionWarning = {
  count: `SELECT count(*)::int FROM public.users u WHERE ${ADMIN} AND ${WITH_DEFAULT_GROUP}`,
  columns: [...ADMIN_COLUMNS, 'public.groups.name', 'public.groups.created_at'],
  text: ADMIN_TEXT,
};

/** Where the group was renamed or removed: the runner records a file in the transaction that runs it. */
const seededAdminByLedger: AdoptionWarning = {
  count: `SELECT count(*)::int FROM public.users u
JOIN public.schema_migrations m ON m.filename = '001_init.sql' AND m.applied_at = u.created_at
WHERE ${ADMIN} AND NOT ${WITH_DEFAULT_GROUP}`,
  columns: [
    ...ADMIN_COLUMNS,
    'public.groups.name',
    'public.groups.created_at',
    'public.schema_migrations.applied_at',
  ],
  text: ADMIN_TEXT,
};

const wechat: AdoptionWarning = {
  count: `SELECT count(*)::int FROM public.users u /* soft-delete: all rows, because a deleted user's text is kept there too */
WHERE u.wechat <> '' AND NOT EXISTS (
  SELECT FROM public.user_attribute_values v JOIN public.user_attribute_definitions d ON d.id = v.attribute_id
  WHERE v.user_id = u.id AND d.key = 'wechat' AND d.deleted_at IS NULL)`,
  columns: [
    'public.users.wechat',
    'public.user_attribute_definitions.key',
    'public.user_attribute_definitions.deleted_at',
    'public.user_attribute_values.user_id',
  ],
  text: 'Users have a text in the column wechat and none as an attribute: a migration of the original took itself back. The files of gatewayRepairs move the texts and drop the column.',
};

/** The condition of `gateway_repairs/002_mark_legacy_gemini_tiers.sql`. */
const GEMINI = `a.platform = 'gemini' AND a.type = 'oauth' AND jsonb_typeof(a.credentials) = 'object'
  AND coalesce(a.credentials ->> 'tier_id', '') = ''
  AND CASE WHEN coalesce(a.credentials ->> 'oauth_type', '') = '' THEN coalesce(a.credentials ->> 'project_id', '') <> ''
    ELSE a.credentials ->> 'oauth_type' = 'code_assist' END`;

const geminiTiers: AdoptionWarning = {
  count: `SELECT count(*)::int FROM public.accounts a /* soft-delete: all rows, because a deleted account has lost its tier too */ WHERE ${GEMINI}`,
  columns: ['public.accounts.platform', 'public.accounts.type', 'public.accounts.credentials'],
  text: 'Gemini accounts that need a tier have none: a migration of the original took itself back, and took real tiers with it. The files of gatewayRepairs mark them as LEGACY until the next refresh of their tokens.',
};

/** What a person should hear of after an adoption; nothing of it stops one. */
export const adoptionWarnings: readonly AdoptionWarning[] = [
  seededAdmin,
  seededAdminByLedger,
  wechat,
  geminiTiers,
];
