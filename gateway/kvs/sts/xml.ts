/** Writes the little XML of the query protocol. */

/** A value as a structure of texts, in the order of its members; undefined ones are left out. */
export type XmlMembers = { readonly [name: string]: string | XmlMembers | undefined };

/** `<Arn>...</Arn><Account>...</Account>`: names are ours, texts are anybody's. */
export function xmlMembers(members: XmlMembers): string {
  return Object.entries(members)
    .map(([name, value]) => {
      if (value === undefined) return '';
      return `<${name}>${typeof value === 'string' ? xmlText(value) : xmlMembers(value)}</${name}>`;
    })
    .join('');
}

/** A text with what XML would take for its own escaped, and without the characters that it forbids. */
export function xmlText(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
