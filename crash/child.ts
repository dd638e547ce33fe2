import { MigrationError, Migrator } from 'tombstone/migrations';

// The run that is interrupted, as a process of its own: the URL in the environment, the module's folder as argument.
// It says each event on a line, so that the parent can strike at a chosen one, and at the end what it failed of.
const say = (event: object): unknown => process.stdout.write(`${JSON.stringify(event)}\n`);
const migrator = new Migrator({
  connection: process.env['DATABASE_URL'] ?? '',
  modules: [{ name: 'crash', migrations: process.argv[2] ?? '' }],
  onProgress: say,
});
await migrator.up().catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error);
  // Errors about the ledger tell the SQLSTATE in their sentence only.
  const [, sqlState] = /\[([0-9A-Z]{5})\]/.exec(message) ?? [];
  say({ type: 'failed', code: error instanceof MigrationError ? error.code : undefined, sqlState });
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
});
