import { USAGE_COLUMNS } from './usage-columns.ts';

/** How a new log goes in. No row of it: its request was stored before. */
export interface NewLogSql {
  /** The part of the statement before the log, where it is not the log itself that claims the request. */
  readonly claim?: string;
  readonly log: string;
}

/** The same for many, which come from the rows of `given`. */
export interface NewLogsSql extends NewLogSql {
  readonly given: string;
}

const COLUMNS = USAGE_COLUMNS.map(({ column }) => column).join(', ');

const VALUES = USAGE_COLUMNS.map(({ type, absent }, index) => {
  const parameter = `$${index + 1}::${type}`;
  return absent === undefined ? parameter : `coalesce(${parameter}, ${absent})`;
}).join(', ');

const REQUEST_ID = parameterOf('requestId');

const ARRAYS = USAGE_COLUMNS.map(({ type }, index) => `$${index + 1}::${type}[]`).join(', ');
const GIVEN_VALUES = USAGE_COLUMNS.map(({ column, absent }) =>
  absent === undefined ? column : `coalesce(${column}, ${absent})`,
).join(', ');

/** One log, in the one table. */
export const ONE_LOG: NewLogSql = {
  log: `insert into usage_logs (${COLUMNS}) values (${VALUES})
  on conflict (request_id, api_key_id) do nothing`,
};

/** A second log of a request finds its claim taken; one without a request id claims nothing. */
export const ONE_LOG_BY_MONTH: NewLogSql = {
  claim: `claim as (
    insert into usage_request_ids (api_key_id, request_id, usage_log_id, created_at)
    select ${parameterOf('apiKeyId')}, ${REQUEST_ID}, nextval('usage_logs_id_seq'), coalesce(${parameterOf('createdAt')}, now())
    where ${REQUEST_ID} is not null
    on conflict (api_key_id, request_id) do nothing
    returning usage_log_id
  )`,
  log: `insert into usage_logs (id, ${COLUMNS})
    select coalesce(claim.usage_log_id, nextval('usage_logs_id_seq')), ${VALUES}
    from (select) as usage left join claim on true where claim.usage_log_id is not null or ${REQUEST_ID} is null`,
};

/** The same for many: the parameters are arrays. */
export const MANY_LOGS: NewLogsSql = {
  given: `select * from unnest(${ARRAYS})`,
  log: `insert into usage_logs (${COLUMNS}) select ${GIVEN_VALUES} from given order by api_key_id, request_id
    on conflict (request_id, api_key_id) do nothing`,
};

/**
 * Of a request that occurs twice, the first one is taken before anything is claimed: the second one would find the claim of
 * its own statement.
 */
export const MANY_LOGS_BY_MONTH: NewLogsSql = {
  given: `select distinct on (api_key_id, request_id) ${COLUMNS}
    from unnest(${ARRAYS}) with ordinality as asked (${COLUMNS}, position)
    order by api_key_id, request_id, position`,
  claim: `claim as (
    insert into usage_request_ids (api_key_id, request_id, usage_log_id, created_at)
    select api_key_id, request_id, nextval('usage_logs_id_seq'), coalesce(created_at, now()) from given
    order by api_key_id, request_id
    on conflict (api_key_id, request_id) do nothing
    returning api_key_id, request_id, usage_log_id
  )`,
  log: `insert into usage_logs (id, ${COLUMNS}) select usage_log_id, ${GIVEN_VALUES}
    from given join claim using (api_key_id, request_id) order by api_key_id, request_id`,
};

function parameterOf(property: string): string {
  const index = USAGE_COLUMNS.findIndex((column) => column.property === property);
  return `$${index + 1}::${USAGE_COLUMNS[index]?.type}`;
}
