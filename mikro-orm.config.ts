import { gateway } from './src/gateway/index.ts';
import { defineDataConfig } from './src/index.ts';

/** For the command lines of MikroORM and Tombstone. The target comes from the environment and has no default. */
function config() {
  const clientUrl = process.env['DATABASE_URL'];
  if (!clientUrl) {
    throw new Error('DATABASE_URL is not set. Set it to postgresql://user:password@host:5432/database.');
  }
  return defineDataConfig({ clientUrl, modules: [gateway] });
}

export default config();
