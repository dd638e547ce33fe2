import { fileURLToPath } from 'node:url';
import { defineModule } from '../../kit/config/index.ts';

/**
 * Repairs what the original's migrations did to rows when they ran their own roll-backs. List it behind `gateway` in a service
 * whose database comes from the original; in any other its files do nothing. It has migrations and no entities.
 */
export const gatewayRepairs = defineModule({
  name: 'gateway_repairs',
  migrations: fileURLToPath(new URL('../../../migrations/gateway_repairs', import.meta.url)),
  entities: [],
});
