/** What a wall shows, as it stands in its address, and how it divides cameras into pages. Pure. */

export const wallSizes = [1, 4, 9, 16] as const;
export type WallSize = (typeof wallSizes)[number];

export type WallLayout = {
  readonly size: WallSize;
  /** From 0. */
  readonly page: number;
  /** Ids in the order of the tiles; undefined is all cameras there are. */
  readonly chosen: readonly string[] | undefined;
};

export const wallDefault: WallLayout = { size: 4, page: 0, chosen: undefined };

/** @param query  of `#/wall?size=9&page=2&cameras=a,b`; what cannot be read is as if it were not there */
export function readLayout(query: string): WallLayout {
  const values = new URLSearchParams(query);
  const page = Number(values.get('page') ?? 1);
  const chosen = values
    .get('cameras')
    ?.split(',')
    .filter((id) => id !== '');
  return {
    size: wallSizes.find((size) => String(size) === values.get('size')) ?? wallDefault.size,
    page: Number.isInteger(page) && page > 0 ? page - 1 : 0,
    chosen: chosen === undefined || chosen.length === 0 ? undefined : chosen,
  };
}

export function layoutQuery({ size, page, chosen }: WallLayout): string {
  const pages = page === 0 ? {} : { page: String(page + 1) };
  const query = new URLSearchParams({ size: String(size), ...pages });
  // Commas stay as they are, for whoever reads or mends an address by hand.
  return chosen === undefined ? query.toString() : `${query}&cameras=${chosen.map(encodeURIComponent).join(',')}`;
}

/** The cameras of a wall in the order of its tiles; ids of cameras that are gone are left out. */
export function camerasOn<T extends { readonly id: string }>(cameras: readonly T[], { chosen }: WallLayout): T[] {
  if (chosen === undefined) return [...cameras];
  return chosen.map((id) => cameras.find((camera) => camera.id === id)).filter((camera) => camera !== undefined);
}

export function pageCount(cameras: number, { size }: WallLayout): number {
  return Math.max(1, Math.ceil(cameras / size));
}

/** The page that is shown of as many as there are: the last one where a wall has become smaller. */
export function pageShown(cameras: number, layout: WallLayout): number {
  return Math.min(layout.page, pageCount(cameras, layout) - 1);
}

/** So many tiles beside each other, for as many as there are to show: two cameras of a wall of nine get half of it each. */
export function columnsFor(tiles: number, size: WallSize): number {
  return Math.min(Math.sqrt(size), Math.ceil(Math.sqrt(Math.max(1, tiles))));
}
