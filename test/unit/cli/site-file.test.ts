/** Site files as people write them: references, lines of mistakes, and whatever else a text may be. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readSiteFile } from '../../../appliance/cli/site-file.ts';
import { AppError, isAppError } from '../../../storage/base/errors.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

async function read(text: string, environment: Record<string, string> = {}) {
  const directory = await temporaryDirectory();
  const path = join(directory, 'site.yaml');
  await writeFile(path, text);
  await writeFile(join(directory, 'secret'), 'from a file\n');
  return readSiteFile(path, { environment });
}

test('references to the environment and to files beside it are resolved, anchors and merges too', async () => {
  const text = 'a: &a { password: { env: P } }\nb: *a\nc: { <<: *a, url: { file: secret } }\nd: { sealed: v1.x }\n';

  const { content } = await read(text, { P: 'x' });

  const password = { plain: 'x' };
  expect(content).toEqual({
    a: { password },
    b: { password },
    c: { password, url: { plain: 'from a file' } },
    d: { sealed: 'v1.x' },
  });
});

test.each([
  ['a variable that is not there', 'a: 1\nb: { env: NOPE }', /site\.yaml:2: b: the environment has no variable NOPE/],
  ['a file that is not there', 'b:\n  - c: { file: nope }', /site\.yaml:2: b\.0\.c: there is no file/],
  ['a secret in the file', 'a:\n  b: { plain: x }', /site\.yaml:2: a\.b: a secret stands in the file itself/],
  ['a key twice', 'a: 1\na: 2', /site\.yaml:2: Map keys must be unique/],
  ['no YAML', 'a: [', /site\.yaml:1: /],
  ['aliases without end', bomb(), /alias/i],
  ['depth without end', `${'['.repeat(30)}1${']'.repeat(30)}`, /nested too deeply/],
])('%s is refused with its line', async (_what, text, message) => {
  await expect(read(text)).rejects.toMatchObject({ code: 'invalid_argument', message: expect.stringMatching(message) });
});

test('an error of the server is told with the line of its field, keys with dots in them too', async () => {
  const { located } = await read('cameras:\n  a.b:\n    source:\n      url: x\n');
  const at = (field: string) => (located(refusal(field)) as Error).message;

  expect(at('cameras.a.b.source.url')).toMatch(/:4: wrong$/);
  expect(at('cameras.a.b.nothing')).toMatch(/:2: wrong$/);
  expect(at('elsewhere')).toMatch(/site\.yaml: wrong$/);
});

test('whatever a file holds, it is read or refused in words', async () => {
  const directory = await temporaryDirectory();
  const path = join(directory, 'site.yaml');
  const word = fc.constantFrom(
    'version',
    'site',
    'cameras',
    'env',
    'file',
    'plain',
    '{',
    '}',
    ': ',
    '\n',
    '  ',
    '*a',
    '&a ',
    '- ',
    '<<',
    '"',
    "'",
    '|',
    '!!js',
    '__proto__',
    '\u0000',
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(fc.oneof(word, fc.string({ maxLength: 3 })), { maxLength: 40 }).map((words) => words.join('')),
  );

  await fc.assert(
    fc.asyncProperty(text, async (content) => {
      await writeFile(path, content);
      try {
        await readSiteFile(path, { environment: {} });
      } catch (error) {
        if (!isAppError(error) || error.code === 'internal') throw error;
      }
    }),
    { numRuns: 300 },
  );
});

function refusal(field: string) {
  return new AppError('invalid_argument', 'wrong', { field });
}

function bomb(): string {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 9; i++)
    lines.push(
      `a${i}: &a${i} [${Array(9)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    );
  return lines.join('\n');
}
