// Lets a script of this repository import "tombstone" as a user would, from the sources instead of a build.
import { registerHooks } from 'node:module';

const DOORS = {
  tombstone: 'index.ts',
  'tombstone/deletion': 'kit/deletion/index.ts',
  'tombstone/migrations': 'kit/migrations/index.ts',
  'tombstone/testing': 'kit/testing/index.ts',
  'tombstone/gateway': 'gateway/index.ts',
};

registerHooks({
  resolve(specifier, context, next) {
    const file = DOORS[specifier];
    return file ? next(new URL(`../src/${file}`, import.meta.url).href, context) : next(specifier, context);
  },
});
