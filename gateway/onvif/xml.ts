/**
 * A reader for the XML that devices send: one pass, bounded in elements and depth, linear in time. It knows no document types,
 * so no entity can be defined, and namespaces are only stripped: devices disagree about prefixes and sometimes about the names
 * behind them. Pure.
 */

import { appError } from '../../storage/base/errors.ts';
import { onvifLimits } from './limits.ts';

/** An element by its local name. Attributes too are by local name, `xmlns` declarations left out. */
export type XmlElement = {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** All text directly inside, without white space around it. */
  readonly text: string;
};

/** Below the limits' `answerBytesMax`, which whoever received the text has checked. */
type Open = { name: string; tag: string; attributes: Map<string, string>; children: XmlElement[]; text: string[] };

/**
 * Reads a whole document.
 *
 * @returns its root element
 * @throws AppError data_loss           it is not well-formed, or ends too soon
 * @throws AppError resource_exhausted  it has more elements, or nests deeper, than any device has reason to
 */
export function readXml(document: string): XmlElement {
  const stack: Open[] = [];
  let root: XmlElement | undefined;
  let elements = 0;
  let at = 0;

  const wrong = (what: string) => appError('data_loss', `the answer is not well-formed: ${what}`, { byteOffset: at });
  const addText = (text: string) => {
    const top = stack.at(-1);
    if (top !== undefined) top.text.push(text);
    else if (text.trim() !== '' && text.trim() !== '\ufeff') throw wrong('text outside of the document');
  };
  const skipPast = (mark: string, from: number): number => {
    const end = document.indexOf(mark, from);
    if (end < 0) throw wrong(`nothing ends with ${mark}`);
    return end + mark.length;
  };
  const close = (open: Open) => {
    const { name, attributes, children } = open;
    const element = { name, attributes, children, text: open.text.join('').trim() };
    const parent = stack.at(-1);
    if (parent !== undefined) parent.children.push(element);
    else if (root === undefined) root = element;
    else throw wrong('there are two roots');
  };

  while (at < document.length) {
    const begin = document.indexOf('<', at);
    if (begin < 0) {
      addText(document.slice(at));
      break;
    }
    if (begin > at) addText(decodeEntities(document.slice(at, begin)));
    at = begin;
    if (document.startsWith('<![CDATA[', at)) {
      const end = skipPast(']]>', at);
      addText(document.slice(at + 9, end - 3));
      at = end;
    } else if (document.startsWith('<!--', at)) at = skipPast('-->', at + 4);
    else if (document.startsWith('<?', at)) at = skipPast('?>', at);
    else if (document.startsWith('<!', at)) throw wrong('a document type has no place in it');
    else if (document.startsWith('</', at)) {
      const end = skipPast('>', at);
      const open = stack.pop();
      if (open === undefined || document.slice(at + 2, end - 1).trim() !== open.tag) throw wrong('tags do not match');
      close(open);
      at = end;
    } else {
      if (++elements > onvifLimits.elementsMax) {
        throw appError('resource_exhausted', `the answer has over ${onvifLimits.elementsMax} elements`);
      }
      const { open, isEmpty, end } = readTag(document, at, wrong);
      at = end;
      if (isEmpty) close(open);
      else if (stack.push(open) > onvifLimits.depthMax) {
        throw appError('resource_exhausted', `the answer nests over ${onvifLimits.depthMax} elements`);
      }
    }
  }
  if (stack.length > 0 || root === undefined) throw wrong('it ends too soon');
  return root;
}

/** The first child of that local name. */
export function childOf(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((child) => child.name === name);
}

/** All children of that local name. */
export function childrenOf(element: XmlElement | undefined, name: string): readonly XmlElement[] {
  return element?.children.filter((child) => child.name === name) ?? [];
}

/** The element at the end of a path of local names. */
export function elementAt(element: XmlElement | undefined, ...path: readonly string[]): XmlElement | undefined {
  return path.reduce<XmlElement | undefined>((found, name) => childOf(found, name), element);
}

/** Text at the end of a path, cut to a length worth keeping; undefined when there is none. */
export function textAt(element: XmlElement | undefined, ...path: readonly string[]): string | undefined {
  const text = elementAt(element, ...path)?.text.slice(0, onvifLimits.textMax);
  return text === '' ? undefined : text;
}

/** A finite number at the end of a path; undefined when there is none. */
export function numberAt(element: XmlElement | undefined, ...path: readonly string[]): number | undefined {
  const text = textAt(element, ...path);
  const value = text === undefined ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** Text as it may stand inside an element or attribute. Characters that XML cannot carry are left out. */
export function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '')
    .replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

const nameEnd = /[\s/>=]/g;
const blank = /\S|$/g;

/** `<name a="1" b='2'>` from its `<`. Each character is looked at a bounded number of times. */
function readTag(
  document: string,
  begin: number,
  wrong: (what: string) => Error,
): { readonly open: Open; readonly isEmpty: boolean; readonly end: number } {
  let position = begin + 1;
  const find = (pattern: RegExp): number => {
    pattern.lastIndex = position;
    const found = pattern.exec(document)?.index;
    if (found === undefined) throw wrong('it ends within a tag');
    return found;
  };
  const name = () => {
    const end = find(nameEnd);
    if (end === position) throw wrong('a name is missing');
    const text = document.slice(position, end);
    position = end;
    return text;
  };
  const tag = name();
  const attributes = new Map<string, string>();
  for (;;) {
    position = find(blank);
    const next = document[position];
    if (next === undefined) throw wrong('it ends within a tag');
    if (next === '>' || next === '/') {
      const isEmpty = next === '/';
      if (isEmpty && document[position + 1] !== '>') throw wrong('a tag does not end');
      const open = { name: localName(tag), tag, attributes, children: [], text: [] };
      return { open, isEmpty, end: position + (isEmpty ? 2 : 1) };
    }
    const attribute = name();
    position = find(blank);
    if (document[position] !== '=') throw wrong('an attribute has no value');
    position++;
    position = find(blank);
    const quote = document[position];
    if (quote !== '"' && quote !== "'") throw wrong('an attribute has no quotes');
    const end = document.indexOf(quote, position + 1);
    if (end < 0) throw wrong('it ends within an attribute');
    if (!/^xmlns(:|$)/.test(attribute)) {
      attributes.set(localName(attribute), decodeEntities(document.slice(position + 1, end)));
    }
    position = end + 1;
  }
}

function localName(name: string): string {
  return name.slice(name.lastIndexOf(':') + 1);
}

const namedEntities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/** What is no entity stays as it is: addresses with a bare `&` are common. */
function decodeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(lt|gt|amp|quot|apos));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return namedEntities[name.toLowerCase()] ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
