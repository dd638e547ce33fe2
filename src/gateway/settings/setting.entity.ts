import { defineEntity, p, raw } from '@mikro-orm/core';
import { bigintId } from '../../kit/columns/index.ts';

const SettingSchema = defineEntity({
  name: 'Setting',
  tableName: 'settings',
  properties: {
    id: bigintId(),
    key: p.string().length(100),
    value: p.text(),
    updatedAt: p
      .datetime()
      .columnType('timestamptz')
      .defaultRaw('now()')
      .onUpdate(() => raw('now()')),
  },
  uniques: [{ name: 'settings_key_key', properties: ['key'] }],
});

/** A value by its name; an empty one is a value too. */
export class Setting extends SettingSchema.class {}

SettingSchema.setClass(Setting);
