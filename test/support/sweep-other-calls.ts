import type { Argument } from './sweep-arguments.ts';
import {
  clamped,
  filter,
  filters,
  id,
  ids,
  integer,
  list,
  object,
  SECRET,
  text,
  word,
} from './sweep-arguments.ts';
import type { SweepCalls, SweepRows } from './sweep-calls.ts';

const page = clamped({ page: 1, pageSize: 50 });

const PROXY = {
  name: text('proxy', { max: 100, filled: true }),
  protocol: word('http'),
  host: text('host', { max: 255, filled: true }),
  port: integer(8080),
  username: text('name', { max: 100, nullable: true }),
  password: text(`${SECRET} proxy`, { max: 100, nullable: true }),
};
const PROXY_FILTERS = filters({ protocol: filter('http'), status: filter('active'), search: filter('p') });

export const proxiesOf = (rows: SweepRows): SweepCalls['proxies'] => ({
  create: [object(PROXY)],
  getById: [id(rows.proxy)],
  findById: [id(rows.proxy)],
  update: [object({ id: id(rows.proxy), ...PROXY })],
  list: [page],
  listWithFilters: [page, PROXY_FILTERS],
  listWithFiltersAndAccountCount: [page, PROXY_FILTERS],
  listActive: [],
  listActiveWithAccountCount: [],
  existsByHostPortAuth: [text('host'), integer(8080), filter('name'), filter(`${SECRET} proxy`)],
  countAccountsByProxyId: [id(rows.proxy)],
  getAccountCountsForProxies: [],
  listAccountSummariesByProxyId: [id(rows.proxy)],
  delete: [id(rows.proxy)],
});

// A key that no column could hold is no setting, and is looked for all the same.
const key = text('setting');

export const settingsOf = (): SweepCalls['settings'] => ({
  set: [text('setting', { max: 100, filled: true }), text('value')],
  get: [key],
  find: [key],
  getValue: [key],
  findValue: [key],
  getMultiple: [list(['setting'], ['setting', 5, null, [5], ['\0']])],
  setMultiple: [
    list(new Map([['setting', 'value']]), [null, 5, {}, new Map([['a\0', 'b']]), new Map([['a', 5]])]),
  ],
  getAll: [],
  delete: [key],
});

const DEFINITION = { name: text('name', { max: 255, filled: true }), type: word('text') };

export const definitionsOf = (rows: SweepRows): SweepCalls['attributeDefinitions'] => ({
  create: [object({ ...DEFINITION, key: text(`new ${rows.name}`, { max: 100, filled: true }) })],
  getById: [id(rows.definition)],
  findById: [id(rows.definition)],
  getByKey: [text(rows.name)],
  findByKey: [text(rows.name)],
  update: [object({ id: id(rows.definition), ...DEFINITION })],
  list: [],
  updateDisplayOrders: [
    list(new Map([[rows.definition, 1]]), [
      null,
      5,
      {},
      new Map([['x', 1]]),
      new Map([[rows.definition, 1.5]]),
    ]),
  ],
  existsByKey: [text(rows.name)],
  delete: [id(rows.definition)],
});

const noValues: Argument['malformed'] = [
  null,
  5,
  {},
  [null],
  [{ attributeId: 'x', value: '' }],
  [{ attributeId: '1', value: 5 }],
];

export const valuesOf = (rows: SweepRows): SweepCalls['attributeValues'] => ({
  upsertBatch: [id(rows.user), list([{ attributeId: rows.definition, value: 'v' }], noValues)],
  getByUserId: [id(rows.user)],
  getByUserIds: [ids([rows.user])],
  deleteByAttributeId: [id(rows.definition)],
  deleteByUserId: [id(rows.user)],
});
