const TABLES = new Set(['usage_logs', 'billing_usage_entries']);
const COLUMN =
  /\b(usage_log_id|user_id|api_key_id|account_id|group_id|subscription_id|model|created_at|request_id|id)\b/g;

/** A node of a plan as EXPLAIN (FORMAT JSON) gives it. */
export interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly 'Conflict Arbiter Indexes'?: readonly string[];
  readonly Plans?: readonly PlanNode[];
}

/**
 * How a plan reads logs and ledger: the indexes, each with the columns that it is searched by, `Seq Scan` with the name of the
 * table for a scan of all of it, and the indexes that decide whether a row was there before. In alphabetical order.
 */
export function scansOf(plan: PlanNode): string[] {
  return [...new Set(nodesOf(plan).flatMap(scanOf))].toSorted();
}

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}

function scanOf(node: PlanNode): string[] {
  const {
    'Node Type': type,
    'Relation Name': table = '',
    'Index Name': index,
    'Index Cond': condition = '',
  } = node;
  if (type === 'ModifyTable' && !TABLES.has(table)) return [];
  if (type === 'ModifyTable')
    return (node['Conflict Arbiter Indexes'] ?? []).map((name) => `${name} for conflicts`);
  // Before PostgreSQL 16, the least value is searched by this.
  const searched = condition.replaceAll(/\w+ IS NOT NULL/g, '');
  const columns = [...new Set(searched.match(COLUMN) ?? [])].join(', ');
  // The heap of a bitmap is read by what its index has found.
  if (type === 'Bitmap Index Scan') return isOfLogs(index) ? [`${index} by ${columns}`] : [];
  if (type === 'Bitmap Heap Scan' || !TABLES.has(table)) return [];
  if (!index) return [`${type} of ${table}`];
  return [`${index} by ${columns || 'its order'}`];
}

const isOfLogs = (index = ''): boolean => /usage_logs|billing_usage_entries/.test(index);
