import { DataTypes, type Model, type ModelAttributes, type ModelStatic, type Sequelize } from 'sequelize';
import { USAGE_FIELDS } from '../comparison/library.ts';
import { column, FIELDS } from '../comparison/statements.ts';

type Row = Model & Record<string, unknown>;
export type Models = Readonly<
  Record<
    'User' | 'Group' | 'ApiKey' | 'Account' | 'AccountGroup' | 'UsageLog' | 'Project' | 'Task',
    ModelStatic<Row>
  >
>;

const typeOf = (field: string) => {
  if (/^id$|Id$/.test(field)) return DataTypes.BIGINT;
  if (/(At|Until|Start|End)$/.test(field)) return DataTypes.DATE;
  if (/^(claudeCodeOnly|isExclusive|schedulable|autoPauseOnExpired|modelRoutingEnabled)$/.test(field))
    return DataTypes.BOOLEAN;
  if (/^(ipWhitelist|ipBlacklist|credentials|extra|modelRouting)$/.test(field)) return DataTypes.JSONB;
  if (/(Usd|Price\dk|balance|rateMultiplier|Cost)$/.test(field)) return DataTypes.DECIMAL;
  return /(concurrency|priority|Days|Tokens|Ms)$/.test(field) ? DataTypes.INTEGER : DataTypes.TEXT;
};

const attributes = (fields: readonly string[]): ModelAttributes =>
  Object.fromEntries(
    fields
      .filter((field) => field !== 'createdAt' && field !== 'updatedAt')
      .map((field) => [
        field,
        {
          type: typeOf(field),
          field: column(field),
          ...(field === 'id' && { primaryKey: true, autoIncrement: true }),
        },
      ]),
  );

/** Soft-deletable tables are `paranoid`. */
export function modelsOf(sequelize: Sequelize): Models {
  const softDeletable = (name: string, tableName: string, fields: readonly string[]): ModelStatic<Row> =>
    sequelize.define(name, attributes(fields), { tableName, underscored: true, paranoid: true }) as never;
  const plain = (name: string, tableName: string, fields: readonly string[]): ModelStatic<Row> =>
    sequelize.define(name, attributes(fields), { tableName, underscored: true, timestamps: false }) as never;
  const models: Models = {
    User: softDeletable('user', 'users', FIELDS.USER),
    Group: softDeletable('group', 'groups', FIELDS.GROUP),
    ApiKey: softDeletable('apiKey', 'api_keys', FIELDS.KEY),
    Account: softDeletable('account', 'accounts', FIELDS.ACCOUNT),
    AccountGroup: plain('binding', 'account_groups', ['accountId', 'groupId', 'priority']),
    Project: softDeletable('project', 'projects', ['id', 'ownerId', 'name']),
    Task: softDeletable('task', 'tasks', ['id', 'projectId', 'title']),
    UsageLog: plain('usageLog', 'usage_logs', ['id', ...USAGE_FIELDS]),
  };
  const { User, Group, ApiKey, Account, AccountGroup } = models;
  AccountGroup.removeAttribute('id');
  ApiKey.belongsTo(User, { as: 'user', foreignKey: 'userId' });
  ApiKey.belongsTo(Group, { as: 'group', foreignKey: 'groupId' });
  AccountGroup.belongsTo(Account, { as: 'account', foreignKey: 'accountId' });
  AccountGroup.belongsTo(Group, { as: 'group', foreignKey: 'groupId' });
  return models;
}
