import type { DataEntityManager } from '../kit/orm/index.ts';
import { ApiKeyRepository } from './api-keys/api-key.repository.ts';
import { GroupRepository } from './groups/group.repository.ts';
import type { AllowedGroupsOptions } from './users/dual-write.ts';
import { UserRepository } from './users/user.repository.ts';

/** The gateway's repositories on one entity manager, and so in its transaction. */
export interface GatewayRepositories {
  readonly users: UserRepository;
  readonly groups: GroupRepository;
  readonly apiKeys: ApiKeyRepository;
}

/** Makes the repositories; cheap enough to call per request. */
export function gatewayRepositories(
  em: DataEntityManager,
  options: AllowedGroupsOptions = {},
): GatewayRepositories {
  return {
    users: new UserRepository(em, options),
    groups: new GroupRepository(em),
    apiKeys: new ApiKeyRepository(em),
  };
}
