// The leak suite over a service's own entities, as a program: no test framework, and the answer is the exit code.
//   node examples/leak-suite.ts            the coverage list as text; exit code 1 when a dead row is met
//   node examples/leak-suite.ts --json     the same for machines
//   node examples/leak-suite.ts --stock    the same entities on MikroORM without the layer, to see what a leak looks like
// The database is the one of DATABASE_URL (a new one on its server), or else a PostgreSQL that is gone afterwards.
import { parseArgs } from 'node:util';
import { MikroORM } from '@mikro-orm/core';
import { defineEntity, p, PostgreSqlDriver } from '@mikro-orm/postgresql';
import { bigintId, defineDataConfig, defineModule, softDelete } from 'tombstone';
import {
  createTestDatabase,
  formatLeakReport,
  type LeakReport,
  leakReportJson,
  runLeakSuite,
  startTestServer,
} from 'tombstone/testing';

const CustomerSchema = defineEntity({
  name: 'Customer',
  properties: {
    id: bigintId(),
    name: p.string(),
    level: p.string(),
    orders: () => p.oneToMany(OrderSchema).mappedBy('customer'),
    ...softDelete.properties(),
  },
  checks: [{ name: 'customer_level_check', expression: `level in ('basic', 'gold')` }],
});
class Customer extends CustomerSchema.class {}
CustomerSchema.setClass(Customer);
softDelete.register(Customer);

const OrderSchema = defineEntity({
  name: 'Order',
  tableName: 'orders',
  properties: {
    year: p.integer().primary(),
    number: p.integer().primary(),
    note: p.string(),
    customer: () => p.manyToOne(CustomerSchema),
    products: () => p.manyToMany(ProductSchema).inversedBy('orders'),
    ...softDelete.properties(),
  },
});
class Order extends OrderSchema.class {}
OrderSchema.setClass(Order);
softDelete.register(Order);
softDelete.deadTargets(Order, { customer: 'stub' });

const ProductSchema = defineEntity({
  name: 'Product',
  properties: {
    id: p.uuid().primary(),
    name: p.string(),
    orders: () => p.manyToMany(OrderSchema).mappedBy('products'),
    ...softDelete.properties(),
  },
});
class Product extends ProductSchema.class {}
ProductSchema.setClass(Product);
softDelete.register(Product);

const entities = [Customer, Order, Product];
const shop = defineModule({ name: 'shop', migrations: '/srv/shop/migrations', entities });

const BY_OWNER = 'the core counts by the primary key of the owner, which the target has not got';

/** What the metadata cannot tell the suite: a column under a CHECK, and a verb that the ORM itself fails to do. */
const hints = {
  values: { Customer: () => ({ level: 'basic' }) },
  except: {
    'Order.clone': 'the core reads a composite key back as one column',
    'Product.clone': 'the core reads a key back that it has not asked for',
    'Customer.orders $size': BY_OWNER,
    'Order.products $size': BY_OWNER,
    'Product.orders $size': BY_OWNER,
  },
};

async function examine(clientUrl: string, stock: boolean): Promise<LeakReport> {
  const ours = await MikroORM.init(defineDataConfig({ clientUrl, modules: [shop] }));
  // A service runs its migrations here.
  await ours.schema.create();
  const report = stock ? undefined : await runLeakSuite(ours, hints);
  await ours.close();
  if (report) return report;
  const bare = await MikroORM.init({ driver: PostgreSqlDriver, clientUrl, entities });
  try {
    return await runLeakSuite(bare, { ...hints, guardOff: (em, work) => work(em) });
  } finally {
    await bare.close();
  }
}

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, stock: { type: 'boolean', default: false } },
});
const url = process.env['DATABASE_URL'];
const server = await startTestServer(url ? { url } : {});
try {
  const database = await createTestDatabase(server);
  try {
    const report = await examine(database.url, values.stock);
    const forMachines = leakReportJson(report);
    console.log(values.json ? JSON.stringify(forMachines, null, 2) : formatLeakReport(report));
    if (!forMachines.passed) process.exitCode = 1;
  } finally {
    await database.drop();
  }
} finally {
  await server.stop();
}
