import type { Setting } from './setting.entity.ts';

/** A setting as the repository answers. */
export interface SettingRecord {
  readonly key: string;
  /** May be empty, which is not the same as a setting that is missing. */
  readonly value: string;
  readonly updatedAt: Date;
}

export function settingRecord({ key, value, updatedAt }: Setting): SettingRecord {
  return { key, value, updatedAt };
}
