import type { Gateway } from './gateway.ts';

/** What must be nothing: a log, its claim and its line of the ledger that do not belong together. */
export interface Strays {
  readonly unclaimed: string;
  readonly claims: string;
  readonly entries: string;
  readonly doubled: string;
}

export const NO_STRAYS: Strays = { unclaimed: '0', claims: '0', entries: '0', doubled: '0' };

/** The statement that counts them. */
export const STRAYS = `select
  (select count(*) from usage_logs l where request_id is not null and not exists (select from usage_request_ids c
    where c.api_key_id = l.api_key_id and c.request_id = l.request_id and c.usage_log_id = l.id
      and c.created_at = l.created_at)) as unclaimed,
  (select count(*) from usage_request_ids c where not exists (select from usage_logs l
    where l.id = c.usage_log_id and l.api_key_id = c.api_key_id and l.request_id = c.request_id)) as claims,
  (select count(*) from billing_usage_entries e where not exists (select from usage_logs l where l.id = e.usage_log_id)) as entries,
  (select count(*) from (select 1 from usage_logs where request_id is not null group by api_key_id, request_id having count(*) > 1) d)
    as doubled`;

export async function straysOf({ rows }: Pick<Gateway, 'rows'>): Promise<Strays | undefined> {
  const [row] = await rows<Strays>(STRAYS);
  return row;
}
