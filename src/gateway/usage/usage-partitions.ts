import { fileURLToPath } from 'node:url';
import { defineModule } from '../../kit/config/index.ts';

/**
 * Divides `usage_logs` by UTC month: list it behind `gateway`, and give `usageLogs: 'monthly-partitions'` to
 * `gatewayRepositories`, `recordUsage` and `recordUsages`. It has migrations and no entities.
 */
export const gatewayUsagePartitions = defineModule({
  name: 'gateway_usage_partitions',
  migrations: fileURLToPath(new URL('../../../migrations/gateway_usage_partitions', import.meta.url)),
  entities: [],
  // The entities describe the one table, and work on both forms: the comparison with the database would propose to go back.
  unmappedTables: ['usage_request_ids', 'usage_logs', 'billing_usage_entries'],
});
