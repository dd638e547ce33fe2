import type { AcceptedObject, Adoption, DataFile } from '../../kit/migrations/index.ts';
import { dataRules } from './data-rules.ts';
import { knownFiles } from './known-files.ts';
import { onlineFiles } from './online-files.ts';
import { adoptionObstacles } from './obstacles.ts';
import { adoptionWarnings } from './warnings.ts';

/** What the original has in a form of its own, or not at all, comes with the other files. */
const complete = [
  '001_create_users',
  '002_create_groups',
  '003_create_api_keys',
  '005_add_group_routing',
  '007_add_user_allowed_groups',
  '008_audit_orphan_allowed_groups',
  '010_create_proxies',
  '011_create_accounts',
  '012_create_user_subscriptions',
  '013_create_scheduler_outbox',
  '014_create_redeem_codes',
  '015_create_settings',
  '016_create_user_attributes',
  '017_create_promo_codes',
  '022_create_usage_logs',
  '023_create_usage_dashboard',
  '025_drop_users_allowed_groups',
].map((name) => `gateway/${name}.sql`);

/** Seven more indexes of the original on this table are extras and need no acceptance. */
const accepted: readonly AcceptedObject[] = [
  {
    kind: 'index',
    name: 'public.idx_usage_logs_group_id',
    definitions: ['CREATE INDEX idx_usage_logs_group_id ON public.usage_logs USING btree (group_id)'],
    reason:
      'The original indexes the group alone. A new database has the time in it as well; building it over a large table is a choice of its own.',
  },
];

/**
 * Nothing else hides behind the catalogue: orphans (008) are recorded when the table is made and again by 025; promo codes
 * (018) are folded by the file that makes the index; the watermark (023) has a rule, because its table may be aligned.
 */
const data: readonly DataFile[] = [
  { file: 'gateway/004_seed_default_group.sql', how: 'run' },
  {
    file: 'gateway/007_add_user_allowed_groups.sql',
    how: 'resume',
    statements: 1,
    column: 'public.users.allowed_groups',
  },
  {
    file: 'gateway/008_audit_orphan_allowed_groups.sql',
    how: 'record',
    column: 'public.users.allowed_groups',
  },
];

/** What the gateway knows of databases that the original program has made. */
export const gatewayAdoption: Adoption = {
  origin: 'the original gateway',
  known: knownFiles,
  complete,
  rules: dataRules,
  accepted,
  data,
  online: onlineFiles,
  obstacles: adoptionObstacles,
  warnings: adoptionWarnings,
};
