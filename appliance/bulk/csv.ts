/**
 * CSV as RFC 4180 has it, strictly: a quote that is not closed or stands inside of a bare field is refused and not guessed at.
 * Besides what spreadsheets write: a byte order mark, and semicolons where the comma is a decimal sign. Pure.
 */

import { appError } from '../../storage/base/errors.ts';

/** One record with the line that it begins in. */
export type CsvRecord = { readonly line: number; readonly fields: readonly string[] };

/**
 * Lines without anything in them are left out.
 * @throws AppError invalid_argument  a quote is where none may be
 */
export function parseCsv(text: string): CsvRecord[] {
  const body = text.replace(/^\uFEFF/, '');
  const separator = separatorOf(body);
  const field = new RegExp(`"((?:[^"]|"")*)"|[^"${separator}\\r\\n]*`, 'y');
  const records: CsvRecord[] = [];
  let fields: string[] = [];
  let line = 1;
  let recordLine = 1;
  let at = 0;
  while (at < body.length || fields.length > 0) {
    field.lastIndex = at;
    const [whole = '', quoted] = field.exec(body) ?? [];
    at += whole.length;
    line += whole.split('\n').length - 1;
    fields.push(quoted === undefined ? whole.trim() : quoted.replaceAll('""', '"'));
    const [end = ''] = /^(?:\r?\n|\r)/.exec(body.slice(at, at + 2)) ?? [];
    if (body[at] === separator) {
      at++;
    } else if (end !== '' || at === body.length) {
      at += end.length;
      if (fields.some((each) => each !== '')) records.push({ line: recordLine, fields });
      fields = [];
      recordLine = ++line;
    } else {
      throw appError('invalid_argument', `line ${line}: a quote stands where none may be`, {
        hint: 'a field with quotes is quoted as a whole, and has each of its quotes twice',
      });
    }
  }
  return records;
}

/** The text of records, every field quoted. */
export function csvText(records: readonly (readonly string[])[]): string {
  return records.map((fields) => `${fields.map((field) => `"${field.replaceAll('"', '""')}"`).join(',')}\r\n`).join('');
}

/** What the first record has outside of quotes. */
function separatorOf(text: string): ',' | ';' {
  const [first = ''] = text.replace(/"[^"]*"/g, '').split(/[\r\n]/, 1);
  return first.includes(';') && !first.includes(',') ? ';' : ',';
}
