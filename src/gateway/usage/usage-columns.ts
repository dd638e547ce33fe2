/** A column of `usage_logs` that a caller gives, by the property that holds it. */
export interface UsageColumn {
  readonly property: string;
  readonly column: string;
  readonly type: 'bigint' | 'text' | 'int' | 'numeric' | 'smallint' | 'boolean' | 'timestamptz';
  /** SQL for a value that was left out. */
  readonly absent?: string;
}

const column = (property: string, name: string, type: UsageColumn['type'], absent?: string): UsageColumn => ({
  property,
  column: name,
  type,
  ...(absent !== undefined && { absent }),
});

/** In the order of the statement's parameters. */
export const USAGE_COLUMNS: readonly UsageColumn[] = [
  column('userId', 'user_id', 'bigint'),
  column('apiKeyId', 'api_key_id', 'bigint'),
  column('accountId', 'account_id', 'bigint'),
  column('groupId', 'group_id', 'bigint'),
  column('subscriptionId', 'subscription_id', 'bigint'),
  column('requestId', 'request_id', 'text'),
  column('model', 'model', 'text'),
  column('inputTokens', 'input_tokens', 'int', '0'),
  column('outputTokens', 'output_tokens', 'int', '0'),
  column('cacheCreationTokens', 'cache_creation_tokens', 'int', '0'),
  column('cacheReadTokens', 'cache_read_tokens', 'int', '0'),
  column('cacheCreation5mTokens', 'cache_creation_5m_tokens', 'int', '0'),
  column('cacheCreation1hTokens', 'cache_creation_1h_tokens', 'int', '0'),
  column('inputCost', 'input_cost', 'numeric', '0'),
  column('outputCost', 'output_cost', 'numeric', '0'),
  column('cacheCreationCost', 'cache_creation_cost', 'numeric', '0'),
  column('cacheReadCost', 'cache_read_cost', 'numeric', '0'),
  column('totalCost', 'total_cost', 'numeric', '0'),
  column('actualCost', 'actual_cost', 'numeric', '0'),
  column('rateMultiplier', 'rate_multiplier', 'numeric', '1'),
  column('accountRateMultiplier', 'account_rate_multiplier', 'numeric'),
  column('billingType', 'billing_type', 'smallint', '0'),
  column('stream', 'stream', 'boolean', 'false'),
  column('durationMs', 'duration_ms', 'int'),
  column('firstTokenMs', 'first_token_ms', 'int'),
  column('userAgent', 'user_agent', 'text'),
  column('ipAddress', 'ip_address', 'text'),
  column('imageCount', 'image_count', 'int', '0'),
  column('imageSize', 'image_size', 'text'),
  column('createdAt', 'created_at', 'timestamptz', 'now()'),
];
