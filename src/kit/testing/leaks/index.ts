export type { CanaryValues, ViewedEntities } from './canaries.ts';
export {
  formatLeakReport,
  type LeakReport,
  type LeakReportJson,
  leakReportJson,
  type LeakSums,
  type ProbeResult,
  type Verdict,
} from './report.ts';
export { type LeakSuiteOptions, type LeakSuiteOrm, probesOf, runLeakSuite } from './suite.ts';
export { PROBED_VERBS } from './verbs.ts';
