import { fileURLToPath } from 'node:url';
import { defineEntity, p } from '@mikro-orm/core';
import { bigintId, defineModule, softDelete, timestamps } from 'tombstone';
import { deletion, retention } from 'tombstone/deletion';

/** The tables of the workloads of deletion, as a service with Tombstone maps them. */

const ProjectSchema = defineEntity({
  name: 'Project',
  tableName: 'projects',
  properties: {
    id: bigintId(),
    ownerId: p.bigint('string'),
    name: p.string(),
    ...timestamps(),
    ...softDelete.properties(),
  },
});
export class Project extends ProjectSchema.class {}
ProjectSchema.setClass(Project);

const TaskSchema = defineEntity({
  name: 'Task',
  tableName: 'tasks',
  properties: {
    id: bigintId(),
    project: () => p.manyToOne(Project),
    title: p.string(),
    ...timestamps(),
    ...softDelete.properties(),
  },
});
export class Task extends TaskSchema.class {}
TaskSchema.setClass(Task);

for (const entity of [Project, Task]) {
  softDelete.register(entity);
  deletion.register(entity);
}
retention.policy(Project, { olderThan: '30 days' });
retention.policy(Task, { olderThan: '30 days' });
softDelete.deadTargets(Task, { project: 'stub' });
deletion.relations(Task, { project: 'cascade' });

export const trees = defineModule({
  name: 'trees',
  migrations: fileURLToPath(new URL('migrations', import.meta.url)),
  entities: [Project, Task],
});
