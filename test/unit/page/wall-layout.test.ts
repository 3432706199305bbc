/** What a wall shows, and its address. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  camerasOn,
  columnsFor,
  layoutQuery,
  pageCount,
  pageShown,
  readLayout,
  wallDefault,
  wallSizes,
} from '../../../appliance/page/src/wall/layout.ts';

test('every layout is read back from its address', () => {
  const layouts = fc.record({
    size: fc.constantFrom(...wallSizes),
    page: fc.nat({ max: 99 }),
    chosen: fc.option(fc.array(fc.stringMatching(/^[a-z0-9]{1,12}$/), { minLength: 1, maxLength: 30 }), {
      nil: undefined,
    }),
  });
  fc.assert(
    fc.property(layouts, (layout) => {
      expect(readLayout(layoutQuery(layout))).toEqual(layout);
    }),
  );
});

test('an address that cannot be read is the default', () => {
  for (const query of ['', 'size=7', 'page=-1', 'page=x', 'cameras=', 'size=4&page=1.5']) {
    expect(readLayout(query)).toEqual(wallDefault);
  }
  fc.assert(fc.property(fc.string(), (query) => wallSizes.includes(readLayout(query).size)));
});

test('chosen cameras come in their order, and those that are gone do not', () => {
  const cameras = ['a', 'b', 'c'].map((id) => ({ id }));
  expect(camerasOn(cameras, { ...wallDefault, chosen: ['c', 'x', 'a'] })).toEqual([{ id: 'c' }, { id: 'a' }]);
  expect(camerasOn(cameras, wallDefault)).toEqual(cameras);
});

test('a page that is no more is the last one', () => {
  const layout = { ...wallDefault, size: 9, page: 5 } as const;
  expect(pageCount(20, layout)).toBe(3);
  expect(pageShown(20, layout)).toBe(2);
  expect(pageShown(0, layout)).toBe(0);
});

test('few tiles on a large wall are large', () => {
  expect([1, 2, 3, 5, 9].map((tiles) => columnsFor(tiles, 9))).toEqual([1, 2, 2, 3, 3]);
  expect(columnsFor(16, 16)).toBe(4);
});
