import { fileURLToPath } from 'node:url';
import { defineModule } from '../kit/config/index.ts';
import { ApiKey } from './api-keys/api-key.entity.ts';
import { gatewayErrors } from './errors.ts';
import { Group } from './groups/group.entity.ts';
import { UserAllowedGroup } from './users/user-allowed-group.entity.ts';
import { User } from './users/user.entity.ts';

export type {
  ApiKeyChange,
  ApiKeyRecord,
  ApiKeyWithRelations,
  NewApiKey,
} from './api-keys/api-key-record.ts';
export { ApiKeyRepository } from './api-keys/api-key.repository.ts';
export type { AuthGroup, AuthSnapshot, AuthUser } from './api-keys/auth-snapshot.ts';
export { gatewayErrors } from './errors.ts';
export type { GroupChange, GroupFilters, GroupRecord, NewGroup } from './groups/group-record.ts';
export type { ModelRouting } from './groups/group.entity.ts';
export { GroupRepository } from './groups/group.repository.ts';
export { deleteGroupCascade } from './operations/delete-group-cascade.ts';
export { type GatewayRepositories, gatewayRepositories } from './repositories.ts';
export { type AllowedGroupsProof, verifyAllowedGroups } from './users/allowed-groups-verification.ts';
export type { NewUser, UserChange, UserFilters, UserRecord } from './users/user-record.ts';
export { type BalanceOperation, UserRepository } from './users/user.repository.ts';
export { ApiKey, Group, User, UserAllowedGroup };

/** The gateway as the composition sees it. */
export const gateway = defineModule({
  name: 'gateway',
  migrations: fileURLToPath(new URL('../../migrations/gateway', import.meta.url)),
  entities: [User, UserAllowedGroup, Group, ApiKey],
  unmappedTables: ['orphan_allowed_groups_audit'],
  errors: gatewayErrors,
});
