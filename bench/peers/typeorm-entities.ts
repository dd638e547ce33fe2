import { EntitySchema, type EntitySchemaColumnOptions } from 'typeorm';
import { USAGE_FIELDS } from '../comparison/library.ts';
import { column, FIELDS } from '../comparison/statements.ts';

/** `EntitySchema` instead of decorators: the same metadata, in files that Node runs as they are. */

export interface User {
  id: string;
  balance: string;
}
export interface Group {
  id: string;
}
export interface ApiKey {
  id: string;
  key: string;
  name: string;
  groupId: string | null;
  user: User | null;
  group: Group | null;
}
export interface Account {
  id: string;
}
export interface AccountGroup {
  groupId: string;
  priority: number;
  account: Account;
  group: Group;
}

export interface Project {
  id: string;
  ownerId: string;
  tasks: Task[];
}
export interface Task {
  id: string;
  project: Project;
}

const BIGINT = /^id$|Id$/;
const typeOf = (field: string): EntitySchemaColumnOptions['type'] => {
  if (BIGINT.test(field)) return 'bigint';
  if (/(At|Until|Start|End)$/.test(field)) return 'timestamptz';
  if (/^(claudeCodeOnly|isExclusive|schedulable|autoPauseOnExpired|modelRoutingEnabled)$/.test(field))
    return 'boolean';
  if (/^(ipWhitelist|ipBlacklist|credentials|extra|modelRouting)$/.test(field)) return 'jsonb';
  if (/(Usd|Price\dk|balance|rateMultiplier|Cost)$/.test(field)) return 'numeric';
  return /(concurrency|priority|Days|Tokens|Ms)$/.test(field) ? 'integer' : 'text';
};
const columns = (fields: readonly string[]): Record<string, EntitySchemaColumnOptions> =>
  Object.fromEntries(
    fields.map((field) => [field, { name: column(field), type: typeOf(field) as never, nullable: true }]),
  );
const ID = { id: { type: 'bigint', primary: true, generated: 'increment' } } as const;
const DATES = {
  createdAt: { name: 'created_at', type: 'timestamptz', createDate: true },
  updatedAt: { name: 'updated_at', type: 'timestamptz', updateDate: true },
  deletedAt: { name: 'deleted_at', type: 'timestamptz', deleteDate: true, nullable: true },
} as const;

const softDeletable = <Entity extends object>(name: string, tableName: string, fields: readonly string[]) =>
  ({ name, tableName, columns: { ...columns(fields), ...DATES, ...ID } as never }) as const satisfies {
    name: string;
    tableName: string;
    columns: Partial<Record<keyof Entity, never>>;
  };

export const Users = new EntitySchema<User>(softDeletable<User>('User', 'users', FIELDS.USER));
export const Groups = new EntitySchema<Group>(softDeletable<Group>('Group', 'groups', FIELDS.GROUP));
export const Accounts = new EntitySchema<Account>(
  softDeletable<Account>('Account', 'accounts', FIELDS.ACCOUNT),
);
export const ApiKeys = new EntitySchema<ApiKey>({
  ...softDeletable<ApiKey>('ApiKey', 'api_keys', FIELDS.KEY),
  relations: {
    user: { type: 'many-to-one', target: 'User', joinColumn: { name: 'user_id' } },
    group: { type: 'many-to-one', target: 'Group', joinColumn: { name: 'group_id' }, nullable: true },
  },
});
export const AccountGroups = new EntitySchema<AccountGroup>({
  name: 'AccountGroup',
  tableName: 'account_groups',
  columns: {
    accountId: { name: 'account_id', type: 'bigint', primary: true },
    groupId: { name: 'group_id', type: 'bigint', primary: true },
    priority: { type: 'integer' },
  } as never,
  relations: {
    account: { type: 'many-to-one', target: 'Account', joinColumn: { name: 'account_id' } },
    group: { type: 'many-to-one', target: 'Group', joinColumn: { name: 'group_id' } },
  },
});
export const Projects = new EntitySchema<Project>({
  ...softDeletable<Project>('Project', 'projects', ['ownerId', 'name']),
  relations: {
    tasks: { type: 'one-to-many', target: 'Task', inverseSide: 'project', cascade: ['soft-remove'] },
  },
});
export const Tasks = new EntitySchema<Task>({
  ...softDeletable<Task>('Task', 'tasks', ['title']),
  relations: {
    project: {
      type: 'many-to-one',
      target: 'Project',
      inverseSide: 'tasks',
      joinColumn: { name: 'project_id' },
    },
  },
});
export const UsageLogs = new EntitySchema<{ id: string }>({
  name: 'UsageLog',
  tableName: 'usage_logs',
  columns: { ...columns(USAGE_FIELDS), ...ID } as never,
});
