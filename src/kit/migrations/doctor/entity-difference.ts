/** What would bring a database to its entities, in groups that belong together. */
export interface EntityDifference {
  /** What the entities have and the database lacks. A thing that is replaced is dropped by the first statement of its group. */
  readonly lacking: readonly (readonly string[])[];
  /** Statements that would drop what no entity has. */
  readonly surplus: readonly string[];
}

const DROP = /^(?:drop|alter table .* drop (?:constraint|column)) .*?("(?:[^"]|"")+")[^"]*$/s;

/** A type or a schema that no entity has may be somebody else's, as a table may. */
const FOREIGN = /^drop (?:type|schema) /;

/** Takes the statements of the ORM apart: a drop is surplus unless a later statement makes its object anew. */
export function takenApart(statements: readonly string[]): EntityDifference {
  const all = statements.map((sql) => sql.replace(/;\s*$/, '')).filter((sql) => !FOREIGN.test(sql));
  const dropped = new Map(all.flatMap((sql) => nameDropped(sql).map((name) => [name, sql] as const)));
  const lacking = all
    .filter((sql) => nameDropped(sql).length === 0)
    .map((sql) => {
      const [name, drop] = [...dropped].find(([each]) => makes(sql, each)) ?? [];
      if (name === undefined || drop === undefined) return [sql];
      dropped.delete(name);
      return [drop, sql];
    });
  return { lacking, surplus: [...dropped.values()] };
}

/** The last name of a statement that drops, which is what it drops. */
function nameDropped(sql: string): string[] {
  const name = DROP.exec(sql)?.[1];
  if (name !== undefined) return [name];
  return sql.startsWith('drop ') ? [sql] : [];
}

/** Whether a statement creates an index, a constraint, a view or a trigger of this name. */
function makes(sql: string, name: string): boolean {
  return ['index', 'constraint', 'view', 'trigger'].some((kind) => sql.includes(` ${kind} ${name} `));
}
