import { InvalidInputError } from '../errors/index.ts';

/**
 * What `check` makes of each item; it refuses one with an InvalidInputError that says the name it was given. A name is made where an item
 * is refused only, which is then looked at once more: to name all of many items would take as long as to check them.
 */
export function checkEach<Item, Made>(
  items: readonly Item[],
  nameOf: (index: number) => string,
  check: (item: Item, name: string) => Made,
): Made[] {
  const checked: Made[] = [];
  // Not by map, which passes over the holes of a list.
  for (let index = 0; index < items.length; index += 1) {
    const item = items[index] as Item;
    try {
      checked.push(check(item, ''));
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      checked.push(check(item, nameOf(index)));
    }
  }
  return checked;
}
