export { formatSqlFindings } from './format.ts';
export { type SoftDeletableTable, softDeletableTables } from './tables.ts';
export { findUnguarded, type Unguarded } from './unguarded.ts';
export { type SqlFinding, type SqlReport, type SqlWatch, type WatchedOrm, watchSql } from './watch.ts';
