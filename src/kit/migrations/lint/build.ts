import type { Node } from 'libpg-query';
import type { MigrationFile } from '../files.ts';
import { as, type LintFile, type LintStatement, nameOf } from './tree.ts';

/** A statement that the parser does not know. */
export interface Unparsed {
  readonly line: number;
}

type Parser = (sql: string) => { stmts?: { stmt?: Node }[] };

/** PostgreSQL's own parser. It is large, so it is loaded only by who needs it. */
export async function loadParser(): Promise<Parser> {
  const { loadModule, parseSync } = await import('libpg-query');
  await loadModule();
  return parseSync;
}

/** The trees of a file's Up. A StatementBegin block may hold several statements. */
export function treesOf(file: MigrationFile, parse: Parser): LintFile & { unparsed: Unparsed[] } {
  const statements: LintStatement[] = [];
  const unparsed: Unparsed[] = [];
  const created = new Set<string>();
  for (const { text, line, directive } of file.up) {
    let nodes: { stmt?: Node }[];
    try {
      nodes = parse(text).stmts ?? [];
    } catch {
      unparsed.push({ line });
      continue;
    }
    for (const { stmt } of nodes) {
      const [kind = '', node] = Object.entries(stmt ?? {})[0] ?? [];
      const index = statements.length;
      const statement = {
        kind,
        node,
        line,
        source: text,
        index,
        created: new Set(created),
        isPartitionAware: directive?.kind === 'partitioned-index',
        isBatched: directive?.kind === 'backfill',
      };
      statements.push(statement);
      const table = createdBy(statement);
      if (table) created.add(table);
    }
  }
  return { file, statements, unparsed };
}

function createdBy(statement: LintStatement): string | undefined {
  if (statement.kind === 'CreateTableAsStmt') {
    const into = (statement.node as { into?: { rel?: Parameters<typeof nameOf>[0] } }).into;
    return nameOf(into?.rel);
  }
  const create = as(statement, 'CreateStmt');
  // With IF NOT EXISTS it may have stood there before.
  return create && !create.if_not_exists ? nameOf(create.relation) : undefined;
}
