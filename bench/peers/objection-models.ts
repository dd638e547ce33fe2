import { fn, Model, type RelationMappings, snakeCaseMappers } from 'objection';
import softDeletePlugin from 'objection-js-soft-delete';

type Plugin = typeof softDeletePlugin;
// A CommonJS module with a default export of its own.
const plugin = (softDeletePlugin as unknown as { default?: Plugin }).default ?? softDeletePlugin;

const MAPPERS = snakeCaseMappers({ underscoreBeforeDigits: true });

class Base extends Model {
  static override get columnNameMappers() {
    return MAPPERS;
  }
}

/** By the clock of the database, as the plugin's page recommends: a date would be that of the program's start. */
const SoftDeletable = plugin({
  columnName: 'deleted_at',
  deletedValue: fn.now() as never,
  notDeletedValue: null,
})(Base) as unknown as typeof Base & { QueryBuilder: unknown };

const belongsTo = (modelClass: typeof Base, from: string, to: string) => ({
  relation: Model.BelongsToOneRelation,
  modelClass,
  join: { from, to },
});

export class User extends SoftDeletable {
  static override tableName = 'users';
}
export class Group extends SoftDeletable {
  static override tableName = 'groups';
}
export class Account extends SoftDeletable {
  static override tableName = 'accounts';
}
export class ApiKey extends SoftDeletable {
  static override tableName = 'api_keys';
  declare id: string;
  declare name: string;
  static override get relationMappings(): RelationMappings {
    return {
      user: belongsTo(User, 'api_keys.user_id', 'users.id'),
      group: belongsTo(Group, 'api_keys.group_id', 'groups.id'),
    };
  }
}
export class Project extends SoftDeletable {
  static override tableName = 'projects';
}
export class Task extends SoftDeletable {
  static override tableName = 'tasks';
}
export class AccountGroup extends Base {
  static override tableName = 'account_groups';
  static override idColumn = ['account_id', 'group_id'];
  declare account: Account;
  static override get relationMappings(): RelationMappings {
    return {
      account: belongsTo(Account, 'account_groups.account_id', 'accounts.id'),
      group: belongsTo(Group, 'account_groups.group_id', 'groups.id'),
    };
  }
}
export class UsageLog extends Base {
  static override tableName = 'usage_logs';
}
