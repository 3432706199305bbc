/** Lists of cameras as people have them: comma, semicolon or tab, quoted or not (RFC 4180), with or without a head line. */

export type CsvCamera = {
  readonly line: number;
  readonly name: string;
  readonly url: string;
  readonly subUrl: string;
  readonly username: string;
  readonly password: string;
  /** Why it cannot be added as it stands. */
  readonly fault: string | undefined;
};

const columns = ['name', 'url', 'sub', 'username', 'password'] as const;
type Column = (typeof columns)[number];
const otherNames: Readonly<Record<string, Column>> = {
  camera: 'name',
  address: 'url',
  main: 'url',
  rtsp: 'url',
  'sub url': 'sub',
  'sub address': 'sub',
  user: 'username',
  login: 'username',
};
/** A site has some hundred cameras; a list of more is something else. */
export const csvCamerasMax = 1_000;

export function parseCameras(text: string): CsvCamera[] {
  const rows = rowsOf(text, separatorOf(text)).filter((row) => row.cells.some((cell) => cell !== ''));
  const head = rows[0]?.cells.map(columnOf);
  const hasHead = head?.includes('url') === true || head?.includes('name') === true;
  const order: readonly (Column | undefined)[] = hasHead && head !== undefined ? head : columns;
  const names = new Set<string>();
  return rows.slice(hasHead ? 1 : 0, csvCamerasMax + 1).map(({ line, cells }) => {
    const value = (column: Column) => cells[order.indexOf(column)] ?? '';
    const camera = {
      ...{ line, name: value('name'), url: value('url'), subUrl: value('sub') },
      ...{ username: value('username'), password: value('password') },
    };
    const fault = faultOf(camera, names);
    names.add(camera.name);
    return { ...camera, fault };
  });
}

function faultOf(
  { name, url, subUrl }: { readonly name: string; readonly url: string; readonly subUrl: string },
  names: ReadonlySet<string>,
): string | undefined {
  if (name === '') return 'has no name';
  if (names.has(name)) return 'has the name of a line above';
  if (!/^rtsps?:\/\/[^\s/]/i.test(url))
    return url === '' ? 'has no address' : 'has an address that is not rtsp:// or rtsps://';
  if (subUrl !== '' && !/^rtsps?:\/\/[^\s/]/i.test(subUrl)) return 'has a sub address that is not rtsp:// or rtsps://';
  return undefined;
}

function columnOf(cell: string): Column | undefined {
  const name = cell.toLowerCase().replaceAll('_', ' ');
  return columns.find((column) => column === name) ?? otherNames[name];
}

/** The one that stands most often in the first line. */
function separatorOf(text: string): string {
  const first = text.slice(0, text.search(/\r?\n|$/));
  const count = (separator: string) => first.split(separator).length;
  return [',', ';', '\t'].reduce((best, one) => (count(one) > count(best) ? one : best));
}

function rowsOf(text: string, separator: string): { readonly line: number; readonly cells: string[] }[] {
  const rows: { line: number; cells: string[] }[] = [];
  let line = 1;
  let row = { line, cells: [] as string[] };
  let cell = '';
  let isQuoted = false;
  const endCell = () => {
    row.cells.push(cell.trim());
    cell = '';
  };
  const endRow = () => {
    endCell();
    rows.push(row);
    row = { line, cells: [] };
  };
  const bare = text.replace(/^\uFEFF/, '');
  for (let at = 0; at < bare.length; at++) {
    const char = bare.charAt(at);
    if (char === '\n') line++;
    if (isQuoted && char === '"' && bare.charAt(at + 1) === '"') {
      cell += '"';
      at++;
    } else if (char === '"' && (isQuoted || cell.trim() === '')) isQuoted = !isQuoted;
    else if (isQuoted) cell += char;
    else if (char === separator) endCell();
    else if (char === '\n') endRow();
    else cell += char;
  }
  endRow();
  return rows;
}
