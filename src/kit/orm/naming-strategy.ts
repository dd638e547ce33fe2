import { UnderscoreNamingStrategy } from '@mikro-orm/core';

const SUFFIX = {
  primary: 'pkey',
  foreign: 'fkey',
  unique: 'key',
  index: 'idx',
  sequence: 'seq',
  check: 'check',
  default: 'default',
};
const LONGEST = 63;

/**
 * Snake case, and for constraints without a name the names that PostgreSQL itself gives them (`api_keys_user_id_fkey`), so
 * that SQL files and entities agree without repeating them.
 */
export class PostgresNamingStrategy extends UnderscoreNamingStrategy {
  override indexName(tableName: string, columns: string[], type: keyof typeof SUFFIX): string {
    const suffix = SUFFIX[type];
    const table = tableName.slice(tableName.lastIndexOf('.') + 1);
    const parts = type === 'primary' ? [table, suffix] : [table, ...columns, suffix];
    const name = parts.join('_');
    // PostgreSQL shortens long names by rules of its own; say such a name explicitly in both places.
    return name.length <= LONGEST ? name : super.indexName(tableName, columns, type);
  }
}
