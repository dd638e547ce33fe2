import { migrateOnStart } from '../../src/kit/migrations/index.ts';

/** A service that starts: environment in, what happened out. */
const { TARGET = '', FOLDER = '', MODE } = process.env;
const started = await migrateOnStart({
  connection: TARGET,
  modules: [{ name: 'shop', migrations: FOLDER }],
  mode: MODE,
  lockPollMs: 20,
  waitPollMs: 20,
});
process.stdout.write(JSON.stringify(started));
