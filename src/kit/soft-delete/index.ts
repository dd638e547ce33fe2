export { SOFT_DELETE_FILTER, softDeleteFilter } from './filter.ts';
export { KeepForeignKeys } from './keep-foreign-keys.ts';
export { keepReferences } from './keep-references.ts';
export { isSoftDeletable } from './marker.ts';
export { DELETED_AT, softDelete } from './mixin.ts';
export { currentScope, runInScope, type SkipScope } from './scope.ts';
