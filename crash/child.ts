import { Migrator } from 'tombstone/migrations';

// The run that is interrupted, as a process of its own: the URL in the environment, the module's folder as argument.
// It says each event on a line, so that the parent can strike at a chosen one.
const migrator = new Migrator({
  connection: process.env['DATABASE_URL'] ?? '',
  modules: [{ name: 'crash', migrations: process.argv[2] ?? '' }],
  onProgress: (event) => process.stdout.write(`${JSON.stringify(event)}\n`),
});
await migrator.up().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
