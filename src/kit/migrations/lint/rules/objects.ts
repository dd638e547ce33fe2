import type { LintRule } from '../rule.ts';
import { actionsOf, as, nameOf, within } from '../tree.ts';

/** Objects that are hard to change later, rights, and secrets. */
export const OBJECT_RULES: readonly LintRule[] = [
  {
    id: 'L308',
    severity: 'warning',
    sentence: 'Under another default, old and new programs write different rows.',
    alternative: 'Let the programs write the value, and change the default when the old ones are gone.',
    check: (statement) => {
      const action = actionsOf(statement).find(
        ({ command }) => command.subtype === 'AT_ColumnDefault' && command.def,
      );
      return action && `${action.table}.${action.command.name}`;
    },
  },
  {
    id: 'L514',
    severity: 'warning',
    sentence: 'A value of an enum can never be removed, and without BEFORE or AFTER it sorts last.',
    alternative: 'Say BEFORE or AFTER, or use a table of values.',
    check: (statement) => {
      if (statement.kind === 'CreateEnumStmt') return 'CREATE TYPE ... AS ENUM';
      const value = as(statement, 'AlterEnumStmt');
      return value?.newVal && !value.oldVal && !value.newValNeighbor ? value.newVal : undefined;
    },
  },
  {
    id: 'L706',
    severity: 'warning',
    sentence: 'An index over more than three columns, or a hash index, is seldom worth its writes.',
    alternative: 'Look at the queries that want it, and say in a waiver which they are.',
    check: (statement) => {
      const index = as(statement, 'IndexStmt');
      const isWide = (index?.indexParams?.length ?? 0) > 3;
      return isWide || index?.accessMethod === 'hash' ? nameOf(index?.relation) : undefined;
    },
  },
  {
    id: 'L707',
    severity: 'warning',
    sentence: 'The constraint of a domain is checked against every table that uses it, under their locks.',
    alternative: 'Write a CHECK at the column.',
    check: ({ kind, node }) => {
      const isConstrained = kind === 'CreateDomainStmt' && within(node, 'Constraint').length > 0;
      const isChanged = kind === 'AlterDomainStmt' && (node as { subtype?: string }).subtype !== 'X';
      return isConstrained || (isChanged && within(node, 'Constraint').length > 0) ? 'DOMAIN' : undefined;
    },
  },
  {
    id: 'L711',
    severity: 'warning',
    sentence: 'A right for PUBLIC, all rights, or an extension needs somebody who answers for it.',
    alternative: 'Grant single rights to a role; install extensions when the server is set up.',
    check: ({ kind, node }) => {
      if (kind === 'CreateExtensionStmt') return (node as { extname?: string }).extname;
      const grant = node as { is_grant?: boolean; privileges?: unknown[] };
      if (kind !== 'GrantStmt' || !grant.is_grant) return undefined;
      const isPublic = within(node, 'RoleSpec').some(({ roletype }) => roletype === 'ROLESPEC_PUBLIC');
      return isPublic || !grant.privileges ? 'GRANT' : undefined;
    },
  },
  {
    id: 'L806',
    severity: 'error',
    sentence: 'A password in a migration is a password in every copy of the repository.',
    alternative: 'Set it where the server is set up, from a store of secrets.',
    check: ({ kind, node }) =>
      /^(Create|Alter)RoleStmt$/.test(kind) &&
      within(node, 'DefElem').some(({ defname, arg }) => defname === 'password' && arg)
        ? 'PASSWORD'
        : undefined,
  },
];
