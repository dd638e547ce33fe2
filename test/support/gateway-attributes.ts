import type { DataEntityManager } from 'tombstone';
import {
  gatewayRepositories,
  type NewUserAttributeDefinition,
  type UserAttributeDefinitionRecord,
} from 'tombstone/gateway';

let counter = 0;

export async function mustCreateDefinition(
  em: DataEntityManager,
  values: Partial<NewUserAttributeDefinition> = {},
): Promise<UserAttributeDefinitionRecord> {
  const n = (counter += 1);
  const named = { key: `attribute_${n}`, name: `attribute ${n}`, type: 'text' } as const;
  return gatewayRepositories(em).attributeDefinitions.create({ ...named, ...values });
}

/** The pairs of attribute and value that a user has, by attribute. */
export async function answersOf(em: DataEntityManager, userId: string): Promise<[string, string][]> {
  const values = await gatewayRepositories(em).attributeValues.getByUserId(userId);
  return values.map(({ attributeId, value }) => [attributeId, value]);
}
