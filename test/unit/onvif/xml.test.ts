/** The reader of what devices send. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { onvifLimits } from '../../../gateway/onvif/limits.ts';
import { childrenOf, elementAt, escapeXml, readXml, textAt, type XmlElement } from '../../../gateway/onvif/xml.ts';
import { AppError } from '../../../storage/base/errors.ts';

const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,8}$/);
const text = fc.string({ maxLength: 20 }).map((value) => value.replace(/[^\x20-\ud7ff]/g, '').trim());

type Tree = {
  readonly name: string;
  readonly value: string;
  readonly text: string;
  readonly children: readonly Tree[];
};

const tree = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.record({
    name,
    value: text,
    text,
    children: fc.oneof(
      { maxDepth: 3, depthIdentifier: 'tree' },
      fc.constant<Tree[]>([]),
      fc.array(tie('tree'), { maxLength: 3 }),
    ),
  }),
})).tree;

/** As some device might write it. */
function written({ name: tag, value, text: inside, children }: Tree, prefix: string): string {
  const attribute = `${prefix}a="${escapeXml(value)}" xmlns:x='http://x"y'`;
  if (inside === '' && children.length === 0) return `<${prefix}${tag} ${attribute} />`;
  const content = children.map((child) => written(child, prefix)).join('\n ');
  return `<!-- > --><${prefix}${tag}\n ${attribute}>${escapeXml(inside)}${content}</${prefix}${tag} >`;
}

function read({ name: tag, attributes, text: inside, children }: XmlElement): Tree {
  return { name: tag, value: attributes.get('a') ?? '', text: inside, children: children.map(read) };
}

describe('reading XML', () => {
  it('gives back what was written, whatever the prefixes', () => {
    fc.assert(
      fc.property(tree, fc.constantFrom('', 'tt:', 'ns1:'), (given, prefix) => {
        expect(read(readXml(`<?xml version="1.0"?>\n${written(given, prefix)}\n`))).toEqual(given);
      }),
    );
  });

  it('of anything gives an element or says what is wrong', () => {
    const pieces = fc.constantFrom(
      '<',
      '>',
      '</',
      '/>',
      '<a>',
      '</a>',
      '"',
      "'",
      '=',
      '&amp;',
      '&',
      '<!--',
      '-->',
      '<![CDATA[',
      ']]>',
      '<?',
      '?>',
      '<!DOCTYPE',
      ' x',
      'é',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
        try {
          expect(readXml(parts.join('')).name).toBeTypeOf('string');
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
          expect((error as AppError).code).toBe('data_loss');
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('cut anywhere is an error', () => {
    const whole = '<a b="1"><c>x &amp; y</c><![CDATA[<z>]]></a>';
    for (let length = 0; length < whole.length; length++)
      expect(() => readXml(whole.slice(0, length))).toThrow(AppError);
  });

  it('knows no document type, so no entity can grow', () => {
    const bomb = '<!DOCTYPE a [<!ENTITY b "cccccccc">]><a>&b;</a>';

    expect(() => readXml(bomb)).toThrow('document type');
    expect(readXml('<a>&b; &#x41;&#66; &lt;</a>').text).toBe('&b; AB <');
  });

  it('is bounded in elements and depth', () => {
    const many = `<a>${'<b/>'.repeat(onvifLimits.elementsMax)}</a>`;
    const deep = '<a>'.repeat(onvifLimits.depthMax + 1) + '</a>'.repeat(onvifLimits.depthMax + 1);

    expect(() => readXml(many)).toThrow(expect.objectContaining({ code: 'resource_exhausted' }));
    expect(() => readXml(deep)).toThrow(expect.objectContaining({ code: 'resource_exhausted' }));
  });

  it.each([
    ['names without an end', 'xmlns'],
    ['attributes without an end', '<a b="'],
    ['comments that do not end', '<!--'],
    ['blanks in a tag', '<a '],
    ['entities that are none', '&amp'],
  ])(
    'takes no more than linear time for %s',
    (_, piece) => {
      const text = piece.repeat(Math.ceil(onvifLimits.answerBytesMax / piece.length));

      expect(() => readXml(text)).toThrow(AppError);
    },
    5_000,
  );

  it('keeps a bare ampersand of an address', () => {
    const found = readXml('<r><Uri>rtsp://h/?a=1&b=2&amp;c=3</Uri></r>');

    expect(textAt(found, 'Uri')).toBe('rtsp://h/?a=1&b=2&c=3');
    expect(childrenOf(found, 'Uri')).toHaveLength(1);
    expect(elementAt(found, 'no', 'such')).toBeUndefined();
  });
});
