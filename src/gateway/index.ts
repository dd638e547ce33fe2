import { fileURLToPath } from 'node:url';
import { defineModule } from '../kit/config/index.ts';
import { ApiKey } from './api-keys/api-key.entity.ts';
import { gatewayErrors } from './errors.ts';
import { Group } from './groups/group.entity.ts';
import { UserAllowedGroup } from './users/user-allowed-group.entity.ts';
import { User } from './users/user.entity.ts';

export { ApiKey, Group, User, UserAllowedGroup };

/** The gateway as the composition sees it. */
export const gateway = defineModule({
  name: 'gateway',
  migrations: fileURLToPath(new URL('../../migrations/gateway', import.meta.url)),
  entities: [User, UserAllowedGroup, Group, ApiKey],
  unmappedTables: ['orphan_allowed_groups_audit'],
  errors: gatewayErrors,
});
