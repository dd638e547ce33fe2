import { Op, Sequelize } from 'sequelize';
import {
  type Connections,
  type Library,
  newName,
  type PageRequest,
  type Renaming,
} from '../comparison/library.ts';
import { FIELDS } from '../comparison/statements.ts';
import { ALL_BY_HAND } from '../comparison/trees/deletions.ts';
import { deletionsOf } from './deletion/sequelize.ts';
import { type Models, modelsOf } from './sequelize-models.ts';

/** Sequelize with `paranoid` models. */
export async function open({ url, size }: Connections): Promise<Library> {
  const sequelize = new Sequelize(url, { dialect: 'postgres', logging: false, pool: { max: size } });
  const models = modelsOf(sequelize);
  const { ApiKey, UsageLog, User } = models;
  return {
    ways: {
      ...deletionsOf(sequelize, models),
      W1: (key) => ApiKey.findOne({ where: { key }, ...ownersOf(models) }),
      W2: (request) => pageOfKeys(models, request),
      W3: async (group) => {
        const bindings = await models.AccountGroup.findAll(ofGroup(models, group) as never);
        return bindings.map((binding) => binding['account'] as object);
      },
      W4: async (usage) => (await UsageLog.create({ ...usage }))['id'],
      W5: (usages) => UsageLog.bulkCreate(usages.map((usage) => ({ ...usage }))),
      W6: (id) => ApiKey.destroy({ where: { id } }),
      W7: (renaming) => rename(sequelize, models, renaming),
      W8: ({ userId, amount }) =>
        User.decrement('balance', { by: amount as never, where: { id: userId, deletedAt: null } as never }),
    },
    faster: {
      W1: {
        raw: (key) =>
          ApiKey.findOne({ where: { key }, ...ownersOf(models), raw: true, nest: true }).then(emptied),
      },
      W7: { bulk: (renaming) => renameInBulk(models, renaming) },
    },
    byHand: ALL_BY_HAND,
    close: () => sequelize.close(),
  };
}

const ownersOf = ({ User, Group }: Models) => ({
  attributes: [...FIELDS.AUTH_KEY],
  include: [
    { model: User, as: 'user', attributes: [...FIELDS.AUTH_USER] },
    { model: Group, as: 'group', attributes: [...FIELDS.AUTH_GROUP] },
  ],
});

/** A raw answer has an object full of nulls where there is no row. */
function emptied(row: object | null): object | null {
  const found = row as { user: { id: unknown } | null; group: { id: unknown } | null } | null;
  if (found?.user?.id === null) found.user = null;
  if (found?.group?.id === null) found.group = null;
  return found;
}

async function pageOfKeys({ ApiKey, User, Group }: Models, { groupId, offset, limit }: PageRequest) {
  const { rows, count } = await ApiKey.findAndCountAll({
    where: { groupId },
    include: [
      { model: User, as: 'user' },
      { model: Group, as: 'group' },
    ],
    order: [['id', 'DESC']],
    limit,
    offset,
  });
  return { items: rows, total: count };
}

const past = (field: string, now: Date) => ({ [Op.or]: [{ [field]: null }, { [field]: { [Op.lte]: now } }] });

function ofGroup({ Account, Group }: Models, groupId: string) {
  const now = new Date();
  const mayServe = {
    status: 'active',
    schedulable: true,
    [Op.and]: [
      past('tempUnschedulableUntil', now),
      past('overloadUntil', now),
      past('rateLimitResetAt', now),
      { [Op.or]: [{ expiresAt: null }, { expiresAt: { [Op.gt]: now } }, { autoPauseOnExpired: false }] },
    ],
  };
  const account = { model: Account, as: 'account' };
  return {
    where: { groupId },
    include: [
      { ...account, required: true, where: mayServe },
      { model: Group, as: 'group', required: true, attributes: [] },
    ],
    order: [
      ['priority', 'ASC'],
      [account, 'priority', 'ASC'],
      [account, 'id', 'ASC'],
    ],
  };
}

async function rename(sequelize: Sequelize, { ApiKey }: Models, { ids, round }: Renaming): Promise<void> {
  await sequelize.transaction(async (transaction) => {
    const keys = await ApiKey.findAll({ where: { id: [...ids] }, transaction });
    for (const key of keys) {
      key['name'] = newName(String(key['id']), round);
      await key.save({ transaction });
    }
  });
}

/** As an upsert, in one statement. */
async function renameInBulk({ ApiKey }: Models, { ids, round }: Renaming): Promise<unknown> {
  const keys = await ApiKey.findAll({ where: { id: [...ids] } });
  const rows = keys.map((key) => ({ ...key.get({ plain: true }), name: newName(String(key['id']), round) }));
  return ApiKey.bulkCreate(rows as never, { updateOnDuplicate: ['name', 'updatedAt'] as never });
}
