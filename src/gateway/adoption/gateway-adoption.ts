import type { AcceptedObject, Adoption, DataFile } from '../../kit/migrations/index.ts';
import { dataRules } from './data-rules.ts';
import { knownFiles } from './known-files.ts';
import { adoptionObstacles } from './obstacles.ts';
import { adoptionWarnings } from './warnings.ts';

// users, groups, accounts, settings and api_keys are names that other programs use as well; these three together with their
// columns are nobody else's, and every version of the original has had them.
const TABLES = ['public.account_groups', 'public.redeem_codes', 'public.usage_logs'];

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
];

/** What the gateway knows of databases that the original program has made. */
export const gatewayAdoption: Adoption = {
  origin: 'the original gateway',
  known: knownFiles,
  tables: TABLES,
  rules: dataRules,
  accepted,
  data,
  obstacles: adoptionObstacles,
  warnings: adoptionWarnings,
};
