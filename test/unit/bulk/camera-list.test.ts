/** Lists of cameras as spreadsheets write them, and as nobody should. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { csvText, parseCameraList, parseCsv, splitCameraList } from '../../../appliance/bulk/index.ts';
import { isAppError } from '../../../storage/base/errors.ts';

const fieldsOf = (text: string) => parseCsv(text).map(({ fields }) => fields);

test('quotes, commas and line breaks in fields, with every kind of line end', () => {
  expect(fieldsOf('a,b\r\n"x, ""y""","1\n2"\n\n z ,\r"",last')).toEqual([
    ['a', 'b'],
    ['x, "y"', '1\n2'],
    ['z', ''],
    ['', 'last'],
  ]);
});

test('a byte order mark and semicolons, as spreadsheets write them', () => {
  expect(fieldsOf('\uFEFFname;url\r\n"a;b";c,d\r\n')).toEqual([
    ['name', 'url'],
    ['a;b', 'c,d'],
  ]);
});

test('records know their line, also behind a field of several lines', () => {
  expect(parseCsv('a\n"1\n2\n3"\n\nb').map(({ line }) => line)).toEqual([1, 2, 6]);
});

test.each(['a"b', '"a"b', '"a', 'x\n"a""'])('a quote in the wrong place is refused: %j', (text) => {
  expect(() => parseCsv(text)).toThrow(/a quote stands where none may be/);
});

test('whatever was written comes back', () => {
  const field = fc.string().filter((text) => !text.startsWith('\uFEFF'));
  fc.assert(
    fc.property(
      fc.array(fc.array(field, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 20 }),
      (records) => {
        const wanted = records.filter((fields) => fields.some((text) => text !== ''));

        expect(fieldsOf(csvText(records))).toEqual(wanted);
      },
    ),
  );
});

test('whatever a list holds, it is read or refused in words', () => {
  const piece = fc.constantFrom('name', 'url', ',', ';', '"', '""', '\n', '\r\n', '\r', ' ', 'rtsp://x', '\uFEFF');
  const text = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join('')),
  );
  fc.assert(
    fc.property(text, (csv) => {
      try {
        parseCameraList(csv, { rowsMax: 10 });
      } catch (error) {
        if (!isAppError(error)) throw error;
      }
    }),
    { numRuns: 2_000 },
  );
});

test('columns are known by their names, in any order, and empty fields are none', () => {
  const rows = parseCameraList('URL,Sub URL,name,username\nrtsp://x/,,Gate,\n', { rowsMax: 10 });

  expect(rows).toEqual([{ line: 2, values: { url: 'rtsp://x/', name: 'Gate' } }]);
});

test.each([
  ['', 'the list is empty'],
  ['name,ulr\n', 'unknown column "ulr"'],
  ['name\n', 'no column "url"'],
  ['name,url,name\n', 'the column "name" twice'],
  ['name,url\na,b\nc,d\ne,f', '2 is the most'],
])('%j is refused', (text, message) => {
  expect(() => parseCameraList(text, { rowsMax: 2 })).toThrow(message);
});

test('a list in parts has the same rows', () => {
  const text = `name,url\n${Array.from({ length: 20 }, (_, i) => `"c, ${i}",rtsp://x/${i}`).join('\n')}\n`;

  const parts = splitCameraList(text, 8);

  expect(parts.map(({ lines }) => lines.length)).toEqual([8, 8, 4]);
  const values = parts.flatMap(({ csv }) => parseCameraList(csv, { rowsMax: 8 }).map((row) => row.values));
  expect(values).toEqual(parseCameraList(text, { rowsMax: 20 }).map((row) => row.values));
});
