import type { EntityMetadata, MetadataStorage } from '@mikro-orm/core';
import {
  currentScope,
  guardsWrites,
  isSoftDeletable,
  mayBeAbsent,
  type VisibleRows,
  visibleRows,
} from '../soft-delete/index.ts';
import { deletedAtColumn } from './live-predicate.ts';
import { refuseViewWrite } from './refuse-view-writes.ts';
import { namesFor, shownOwners } from './shown-owners.ts';
import { SoftDeleteError } from './soft-delete-error.ts';

/** A node of Kysely's syntax tree, of which only the shape is used: Kysely is not a dependency of this package. */
interface Node {
  readonly kind: string;
  readonly [part: string]: unknown;
}

interface Target {
  readonly meta: EntityMetadata;
  /** The name by which the rest of the statement refers to the table. */
  readonly name: Node;
}

/**
 * Guards the statements of `em.getKysely()`. A table that is read is replaced by the selection of its visible rows, which is
 * right for every kind of join and costs nothing, since PostgreSQL unfolds it. An update gets the predicate; a delete has
 * no update to become here and is refused. Raw fragments are left as they are.
 */
export class KyselyGuard {
  readonly #bornIn = currentScope();
  readonly #tables = new Map<string, EntityMetadata[]>();

  readonly #driver: object;
  readonly #schema: string;

  /** `schema` is where tables are whose entity names none. */
  constructor(metadata: MetadataStorage, driver: object, schema: string) {
    this.#driver = driver;
    this.#schema = schema;
    for (const meta of metadata as unknown as Iterable<EntityMetadata>) {
      if (!meta.tableName || !mayBeAbsent(meta)) continue;
      this.#tables.set(meta.tableName, [...(this.#tables.get(meta.tableName) ?? []), meta.root]);
    }
  }

  transformQuery({ node }: { readonly node: unknown }): never {
    if (this.#bornIn !== currentScope() || this.#bornIn?.closed)
      throw SoftDeleteError.wrongScope('This Kysely');
    return (guardsWrites(this.#bornIn) ? this.#guard(node, []) : node) as never;
  }

  transformResult({ result }: { readonly result: unknown }): Promise<never> {
    return Promise.resolve(result as never);
  }

  /** `hidden` are the names of common table expressions, which stand before tables of the same name. */
  #guard(part: unknown, hidden: readonly string[]): unknown {
    if (Array.isArray(part)) return part.map((item) => this.#guard(item, hidden));
    if (!isNode(part) || part.kind === 'ValueNode' || part.kind === 'PrimitiveValueListNode') return part;
    const names = [...hidden, ...namesOfExpressions(part)];
    const inner = Object.fromEntries(
      // The expressions themselves see the names before them only; a name too many hides nothing but another one.
      Object.entries(part).map(([key, value]) =>
        // What rows are deleted from cannot be a selection.
        part.kind === 'DeleteQueryNode' && key === 'from'
          ? [key, value]
          : [key, this.#guard(value, key === 'with' ? hidden : names)],
      ),
    ) as unknown as Node;
    return this.#guardStatement(inner, names);
  }

  #guardStatement(node: Node, hidden: readonly string[]): Node {
    switch (node.kind) {
      case 'FromNode':
        return { ...node, froms: (node['froms'] as Node[]).map((table) => this.#visible(table, hidden)) };
      case 'UsingNode':
        return { ...node, tables: (node['tables'] as Node[]).map((table) => this.#visible(table, hidden)) };
      case 'JoinNode':
        return { ...node, table: this.#visible(node['table'] as Node, hidden) };
      case 'UpdateQueryNode':
        refuseViewWrite(this.#targetOf(node['table'], hidden)?.meta);
        return this.#withPredicate(node, 'where', this.#targetOf(node['table'], hidden));
      case 'InsertQueryNode':
        refuseViewWrite(this.#targetOf(node['into'], hidden)?.meta);
        return this.#guardConflict(node, hidden);
      case 'DeleteQueryNode':
        return this.#guardDelete(node, hidden);
      case 'MergeQueryNode':
        return this.#refuse(node, this.#targetOf(node['into'], hidden));
      default:
        return node;
    }
  }

  #visible(table: Node, hidden: readonly string[]): Node {
    const target = this.#targetOf(table, hidden);
    const where =
      target &&
      this.#predicate(visibleRows(this.#bornIn), { ...target, name: identifier(target.meta.tableName) });
    if (!target || !where) return table;
    const source = table.kind === 'AliasNode' ? table['node'] : table;
    const selection: Node = {
      kind: 'SelectQueryNode',
      from: { kind: 'FromNode', froms: [source] },
      selections: [{ kind: 'SelectionNode', selection: { kind: 'SelectAllNode' } }],
      where: { kind: 'WhereNode', where },
    };
    return { kind: 'AliasNode', node: selection, alias: target.name };
  }

  #guardConflict(node: Node, hidden: readonly string[]): Node {
    const conflict = node['onConflict'];
    if (!isNode(conflict) || !conflict['updates']) return node;
    return {
      ...node,
      onConflict: this.#withPredicate(conflict, 'updateWhere', this.#targetOf(node['into'], hidden)),
    };
  }

  /** A table that is only hidden has no mark to set, so that rows which are shown may be deleted. */
  #guardDelete(node: Node, hidden: readonly string[]): Node {
    const [from] = isNode(node['from']) ? (node['from']['froms'] as Node[]) : [];
    const target = this.#targetOf(from, hidden);
    if (target && isSoftDeletable(target.meta)) return this.#refuse(node, target);
    return this.#withPredicate(node, 'where', target);
  }

  #refuse(node: Node, target: Target | undefined): Node {
    if (target) throw SoftDeleteError.kysely(target.meta.className);
    return node;
  }

  #withPredicate(node: Node, clause: string, target: Target | undefined): Node {
    const right = target && this.#predicate('live', target);
    if (!right) return node;
    const before = node[clause];
    const where = isNode(before)
      ? { kind: 'AndNode', left: { kind: 'ParensNode', node: before['where'] }, right }
      : right;
    return { ...node, [clause]: { kind: 'WhereNode', where } };
  }

  /** Undefined where every row of the table is visible. */
  #predicate(rows: VisibleRows, { meta, name }: Target): Node | undefined {
    const mark = rows !== 'all' && isSoftDeletable(meta) ? predicate(rows, { meta, name }) : undefined;
    const names = namesFor(this.#driver, meta);
    const sql = this.#bornIn ? undefined : shownOwners(meta, names.quote(String(name['name'])), names);
    const shown = sql === undefined ? undefined : { kind: 'RawNode', sqlFragments: [sql], parameters: [] };
    return mark && shown ? { kind: 'AndNode', left: mark, right: shown } : (mark ?? shown);
  }

  #targetOf(table: unknown, hidden: readonly string[]): Target | undefined {
    if (!isNode(table)) return undefined;
    const source = table.kind === 'AliasNode' ? table['node'] : table;
    if (!isNode(source) || source.kind !== 'TableNode') return undefined;
    const { schema, identifier: name } = source['table'] as { schema?: Node; identifier: Node };
    if (!schema && hidden.includes(String(name['name']))) return undefined;
    const meta = this.#metaOf(String(name['name']), schema && String(schema['name']));
    return meta && { meta, name: table.kind === 'AliasNode' ? (table['alias'] as Node) : name };
  }
  /** Without a schema, the server's search path decides; the default schema is the likeliest, and any is better than none. */
  #metaOf(table: string, schema?: string): EntityMetadata | undefined {
    const metas = this.#tables.get(table) ?? [];
    const isIn = (wanted: string) => (meta: EntityMetadata) =>
      meta.schema === '*' || (meta.schema ?? this.#schema) === wanted;
    return metas.find(isIn(schema ?? this.#schema)) ?? (schema ? undefined : metas[0]);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Partial<Node>).kind === 'string';
}

function namesOfExpressions(node: Node): string[] {
  const clause = node['with'];
  if (!isNode(clause)) return [];
  return (clause['expressions'] as { name: { table: { table: { identifier: Node } } } }[]).map(({ name }) =>
    String(name.table.table.identifier['name']),
  );
}

function predicate(rows: 'live' | 'dead', { meta, name }: Target): Node {
  const table = { kind: 'TableNode', table: { kind: 'SchemableIdentifierNode', identifier: name } };
  return {
    kind: 'BinaryOperationNode',
    leftOperand: {
      kind: 'ReferenceNode',
      table,
      column: { kind: 'ColumnNode', column: identifier(deletedAtColumn(meta)) },
    },
    operator: { kind: 'OperatorNode', operator: rows === 'live' ? 'is' : 'is not' },
    rightOperand: { kind: 'ValueNode', value: null, immediate: true },
  };
}

function identifier(name: string): Node {
  return { kind: 'IdentifierNode', name };
}
