/** A list of cameras as CSV: one a line, columns by name. Pure; what the values mean is decided where cameras are made. */

import { appError } from '../../storage/base/errors.ts';
import { nearest } from '../config/index.ts';
import { type CsvRecord, csvText, parseCsv } from './csv.ts';

/** Columns that a list may have; name and url are needed, an empty field is as if the column was not there. */
export const cameraColumns = [
  'name',
  'url',
  'sub_url',
  'username',
  'password',
  'transport',
  'tls',
  'mode',
  'retention_hours',
  'onvif_url',
] as const;

export type CameraColumn = (typeof cameraColumns)[number];

/** One camera of a list. */
export type CameraRow = {
  /** In the file, from 1. */
  readonly line: number;
  readonly values: { readonly [Column in CameraColumn]?: string };
  /** Why it cannot be read; its values are then nothing to go by. */
  readonly fault?: string;
};

/**
 * @throws AppError invalid_argument    it is no CSV, or has columns that are not known or missing
 * @throws AppError resource_exhausted  there are more rows than that
 */
export function parseCameraList(text: string, { rowsMax }: { readonly rowsMax: number }): CameraRow[] {
  const [head, ...records] = parseCsv(text);
  const columns = columnsOf(head);
  if (records.length > rowsMax) {
    throw appError('resource_exhausted', `the list has ${records.length} cameras, ${rowsMax} is the most at once`);
  }
  return records.map(({ line, fields }) => {
    const values = Object.fromEntries(columns.flatMap((name, i) => (fields[i] ? [[name, fields[i]]] : [])));
    if (fields.length <= columns.length) return { line, values };
    return {
      line,
      values,
      fault: `has ${fields.length} fields and not ${columns.length}: is one with a comma not quoted?`,
    };
  });
}

/** The list in parts of so many cameras, each with its head: for what takes long for each camera. */
export function splitCameraList(text: string, rowsMax: number): { readonly csv: string; readonly lines: number[] }[] {
  const [head, ...records] = parseCsv(text);
  if (head === undefined) return [];
  const parts: { csv: string; lines: number[] }[] = [];
  for (let at = 0; at < records.length; at += rowsMax) {
    const part = records.slice(at, at + rowsMax);
    parts.push({
      csv: csvText([head.fields, ...part.map(({ fields }) => fields)]),
      lines: part.map(({ line }) => line),
    });
  }
  return parts;
}

function columnsOf(head: CsvRecord | undefined): CameraColumn[] {
  const example = `the first line names the columns: ${cameraColumns.join(',')}`;
  if (head === undefined) throw appError('invalid_argument', 'the list is empty', { hint: example });
  const columns = head.fields.map((text) => {
    const name = text.toLowerCase().replaceAll(/[ -]/g, '_');
    const known = cameraColumns.find((column) => column === name);
    if (known !== undefined) return known;
    const meant = nearest(name.slice(0, 64), cameraColumns);
    throw appError('invalid_argument', `the list has an unknown column "${text.slice(0, 64)}"`, {
      hint: meant === undefined ? example : `did you mean "${meant}"?`,
    });
  });
  const twice = columns.find((name, i) => columns.indexOf(name) !== i);
  if (twice !== undefined) throw appError('invalid_argument', `the list has the column "${twice}" twice`);
  const missing = (['name', 'url'] as const).find((name) => !columns.includes(name));
  if (missing !== undefined)
    throw appError('invalid_argument', `the list has no column "${missing}"`, { hint: example });
  return columns;
}
