import { expect, test } from 'vitest';
import { placeToGiveUp } from '../../../storage/base/places.ts';

const groupOf = (place: string) => place.charAt(0);

test('the oldest of the group with most places goes', () => {
  expect(placeToGiveUp(['a1', 'b1', 'b2', 'a2', 'b3'], groupOf, { newcomerHas: 0 })).toBe('b1');
});

test('whoever has as much as anybody gets nothing more', () => {
  expect(placeToGiveUp(['a1', 'b1', 'b2'], groupOf, { newcomerHas: 2 })).toBeUndefined();
  expect(placeToGiveUp([], groupOf, { newcomerHas: 0 })).toBeUndefined();
});

test('where many have one place each, the oldest of all makes room for one who has none', () => {
  expect(placeToGiveUp(['c1', 'a1', 'b1'], groupOf, { newcomerHas: 0 })).toBe('c1');
});
