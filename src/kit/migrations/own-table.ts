import { DatabaseError } from 'pg';
import { MigrationError } from './errors.ts';

/**
 * Works on a table that the engine keeps for itself, qualified name.
 *
 * @throws MigrationError `MIGRATION.LEDGER` when the server refuses.
 */
export async function onOwnTable<T>(table: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = error instanceof DatabaseError ? (error.code ?? '') : '';
    // A lock that did not come, a deadlock and a lost connection have answers of their own.
    if (code === '' || /^(08|57P0|55P03|40P01)/.test(code)) throw error;
    throw new MigrationError(
      'MIGRATION.LEDGER',
      `The table ${table} cannot be used [${code}]. Grant this role the right to create, read and write it, and take out of the files what touches it.`,
      undefined,
      { sqlState: code },
    );
  }
}
