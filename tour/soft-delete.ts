import { isDataError, type DataEntityManager } from '../src/index.ts';
import { ApiKey, gatewayRepositories, User } from '../src/gateway/index.ts';

/** One row of the tour's table. */
export interface Step {
  readonly action: string;
  readonly result: string;
  readonly milliseconds: number;
}

const EMAIL = 'ada@example.com';
const newUser = { email: EMAIL, passwordHash: 'not a real hash', username: 'ada' };

/** Shows on one user and one key what soft delete means, each step timed by itself. */
export async function showSoftDelete(root: DataEntityManager): Promise<Step[]> {
  const steps: Step[] = [];
  const step = async (action: string, work: (em: DataEntityManager) => Promise<string>): Promise<void> => {
    const em = root.fork();
    const start = performance.now();
    const result = await work(em);
    steps.push({ action, result, milliseconds: performance.now() - start });
  };
  const { users, apiKeys } = gatewayRepositories(root.fork());
  const ada = await users.create(newUser);
  const key = await apiKeys.create({ userId: ada.id, key: 'sk-tour-ada', name: 'laptop' });
  const deletedAt = (): Promise<string> =>
    root.fork().skipSoftDelete(async (em) => {
      const row = await em.findOneOrFail(User, ada.id);
      return row.deletedAt?.toISOString() ?? 'live';
    });

  await step('find the user by e-mail', async (em) => describe(await em.findOne(User, { email: EMAIL })));
  await step('delete the user', async (em) => {
    await gatewayRepositories(em).users.delete(ada.id);
    return 'UPDATE … SET deleted_at = now()';
  });
  await step('find again', async (em) => describe(await em.findOne(User, { email: EMAIL })));
  await step('count', async (em) => `${await em.count(User, { email: EMAIL })} rows`);
  await step('populate the key’s user', async (em) => {
    const found = await em.findOneOrFail(ApiKey, key.id, { populate: ['user'] });
    return found.user ? 'visible' : 'the key is there, its user is null';
  });
  await step('query builder', async (em) => {
    const rows = await em.createQueryBuilder(User).where({ email: EMAIL }).getResultList();
    return `${rows.length} rows`;
  });
  await step('skipSoftDelete', (em) =>
    em.skipSoftDelete(async (all) => describe(await all.findOne(User, { email: EMAIL }))),
  );
  const first = await deletedAt();
  await step('delete it a second time', async (em) => {
    await gatewayRepositories(em).users.delete(ada.id);
    return (await deletedAt()) === first ? 'accepted; the first deleted_at stays' : 'deleted_at has moved';
  });
  let twin = '';
  await step('use the e-mail again', async (em) => {
    twin = (await gatewayRepositories(em).users.create(newUser)).id;
    return 'a new user, beside the deleted one';
  });
  await step('restore while the twin lives', (em) => refusal(em.getRepository(User).restoreByKey(ada.id)));
  await gatewayRepositories(root.fork()).users.delete(twin);
  await step('restore after the twin is deleted', async (em) => {
    const restored = await em.getRepository(User).restoreByKey(ada.id);
    return restored ? describe(await em.findOne(User, { email: EMAIL })) : 'not restored';
  });
  await step('hard-delete', async (em) => {
    await em.getRepository(User).hardDelete(ada.id);
    const left = await em.skipSoftDelete((all) => all.count(ApiKey, { id: key.id }));
    return `gone; ${left} of its 1 key left (ON DELETE CASCADE)`;
  });
  return steps;
}

function describe(user: { deletedAt?: Date | null } | null): string {
  if (!user) return 'hidden';
  return user.deletedAt ? `visible, deleted at ${user.deletedAt.toISOString()}` : 'visible, live';
}

async function refusal(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return 'restored, which would make two live rows with one e-mail';
  } catch (error) {
    if (!isDataError(error)) throw error;
    return `refused: ${error.code}`;
  }
}
