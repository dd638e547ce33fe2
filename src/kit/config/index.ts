export { type DataConfig, type DataConfigInput, defineDataConfig } from './data-config.ts';
export { doctorConfig, type DoctorConfig } from './doctor-model.ts';
export { deletionJournal } from './deletion-journal.ts';
export { liveParentModel } from './live-parent-model.ts';
export { defineModule, type Module } from './module.ts';
export { tablesOfModule } from './module-tables.ts';
