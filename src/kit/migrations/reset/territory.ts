import type { MigrationFile } from '../files.ts';
import { loadParser, treesOf } from '../lint/build.ts';

/** What belongs to a set of files: the schemas that a reset drops, and the extensions that go with them. */
export interface Territory {
  readonly schemas: readonly string[];
  readonly extensions: readonly string[];
}

/** `public`, and what the files create by statements of their own; what a DO block creates is not seen. */
export async function territoryOf(
  files: readonly MigrationFile[],
  more: readonly string[] = [],
): Promise<Territory> {
  const parse = await loadParser();
  const statements = files.flatMap((file) => treesOf(file, parse).statements);
  const named = (kind: string, field: string): string[] =>
    statements.flatMap((statement) => {
      const value = (statement.node as Record<string, unknown> | undefined)?.[field];
      return statement.kind === kind && typeof value === 'string' ? value : [];
    });
  return {
    schemas: [...new Set(['public', ...named('CreateSchemaStmt', 'schemaname'), ...more])],
    extensions: named('CreateExtensionStmt', 'extname'),
  };
}
