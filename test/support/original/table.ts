/** A part of a table, as one file of the original brought it and another one may have taken it. */
export interface Part {
  /** The column, or the name of the key or the index. */
  readonly name: string;
  /** What stands behind the name. */
  readonly text: string;
  /** Numbers of the first and the last file after which it is there. */
  readonly since: number;
  readonly until: number;
}

/** A table of the original, in all the forms that it ever had. */
export interface OriginalTable {
  readonly name: string;
  readonly since: number;
  readonly columns: readonly Part[];
  /** Foreign keys by column: `users CASCADE`. */
  readonly parents: readonly Part[];
  /** Constraints: `api_keys_key_key (key)`. */
  readonly uniques: readonly Part[];
  /** `UNIQUE` stands in front of the columns of those that are. */
  readonly indexes: readonly Part[];
  /** Foreign keys are called `fk_<table>_<column>`. */
  readonly hasGormKeys?: boolean;
}

/** Lines of parts; `@12` at the end of a line is the number of its first file, `@1-13` of its first and last. */
export interface Lines {
  readonly columns: string;
  readonly parents?: string;
  readonly uniques?: string;
  readonly indexes?: string;
}

const LINE = /^(?<name>\S+) (?<text>.*?)(?: @(?<since>\d+)(?:-(?<until>\d+))?)?$/;

/** A table from its lines; what says no number came with the table itself. */
export function table(name: string, since: number, lines: Lines): OriginalTable {
  const parts = (text = ''): Part[] => partsOf(text, since);
  const [columns, parents] = [parts(lines.columns), parts(lines.parents)];
  return { name, since, columns, parents, uniques: parts(lines.uniques), indexes: parts(lines.indexes) };
}

function partsOf(text: string, first: number): Part[] {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter(Boolean).map((line) => {
    const { name = '', text: rest = '', since, until } = LINE.exec(line)?.groups ?? {};
    return { name, text: rest, since: Number(since ?? first), until: Number(until ?? Infinity) };
  });
}

/** The table as it is after the file of this number; columns that came later stand behind the others. */
export function tableAt(whole: OriginalTable, file: number): OriginalTable {
  const there = (parts: readonly Part[]): Part[] =>
    parts.filter(({ since, until }) => since <= file && file <= until).toSorted((a, b) => a.since - b.since);
  return {
    ...whole,
    columns: there(whole.columns),
    parents: there(whole.parents).filter(({ name }) =>
      there(whole.columns).some((column) => column.name === name),
    ),
    uniques: there(whole.uniques),
    indexes: there(whole.indexes),
  };
}

/** The table without keys to others and without what is built over its rows, so that rows are stored quickly. */
export function createTable({ name, columns }: OriginalTable, behind = ''): string {
  return `create table public.${name} (${columns.map((column) => `${column.name} ${column.text}`).join(', ')})${behind}`;
}

/** The rest of the table. */
export function createKeys({ name, uniques, indexes }: OriginalTable): string[] {
  return [
    ...uniques.map(
      (unique) => `alter table public.${name} add constraint ${unique.name} unique ${unique.text}`,
    ),
    ...indexes.map((index) => {
      const [kind, text] = index.text.startsWith('UNIQUE ')
        ? ['unique index', index.text.slice(7)]
        : ['index', index.text];
      return `create ${kind} ${index.name} on public.${name} ${text}`;
    }),
  ];
}

/** Keys to other tables, which must be there with their primary keys. */
export function createParents({ name, parents, hasGormKeys }: OriginalTable): string[] {
  return parents.map((parent) => {
    const [target = '', action = ''] = parent.text.split(/ (.*)/);
    const constraint = hasGormKeys ? `fk_${name}_${parent.name}` : `${name}_${parent.name}_fkey`;
    const onDelete = action ? ` on delete ${action}` : '';
    return `alter table public.${name} add constraint ${constraint} foreign key (${parent.name}) references public.${target} (id)${onDelete}`;
  });
}
