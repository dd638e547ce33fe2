import type { Adoption } from '../../kit/migrations/index.ts';
import { knownFiles } from './known-files.ts';

export const gatewayAdoption: Adoption = {
  origin: 'the original gateway',
  known: knownFiles,
  tables: [],
  rules: [],
  accepted: [
    {
      kind: 'index',
      name: 'public.idx_usage_logs_group_id',
      definitions: ['CREATE INDEX idx_usage_logs_group_id ON public.usage_logs USING btree (group_id)'],
      reason: 'x',
    },
  ],
  data: [],
  warnings: [],
};
