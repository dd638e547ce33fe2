// MikroORM's command line takes a TypeScript file only with a loader package; Node strips the types by itself.
export { default } from './mikro-orm.config.ts';
