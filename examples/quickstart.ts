import { MikroORM } from '@mikro-orm/postgresql';
import { defineDataConfig, isDataError } from 'tombstone';
import { gateway, gatewayRepositories, User } from 'tombstone/gateway';
import { Migrator } from 'tombstone/migrations';

const clientUrl = process.env['DATABASE_URL'] ?? '';
await new Migrator({ connection: clientUrl, modules: [gateway] }).up();
const orm = await MikroORM.init(defineDataConfig({ clientUrl, modules: [gateway] }));

const em = orm.em.fork();
const { users, apiKeys } = gatewayRepositories(em);
const newUser = { email: 'ada@example.com', passwordHash: 'from your own hasher' };

const ada = await users.create(newUser);
await apiKeys.create({ userId: ada.id, key: 'sk-1', name: 'laptop' });
const auth = await apiKeys.getByKeyForAuth('sk-1'); // one prepared statement
console.log(auth.user?.status); // active

await users.delete(ada.id); // UPDATE … SET deleted_at = now()
console.log(await em.count(User, { email: ada.email })); // 0
console.log(await em.skipSoftDelete((all) => all.count(User, { email: ada.email }))); // 1

await users.create(newUser); // a deleted row does not keep its e-mail
try {
  await em.getRepository(User).restoreByKey(ada.id);
} catch (error) {
  if (!isDataError(error, 'EMAIL_EXISTS')) throw error;
  console.log(error.message);
}
await orm.close();
