/** What doors of AWS's APIs have in common: paths as received, bounded bodies, request ids. */

import type { IncomingMessage } from 'node:http';
import { awsError } from '../../gateway/kvs/index.ts';
import { adminLimits } from './limits.ts';

/** The path as received; some clients name the whole URL. */
export function pathOf(request: IncomingMessage): string {
  const local = (request.url ?? '').replace(/^https?:\/\/[^/?#]*/i, '');
  return local.split('?', 1)[0] ?? '';
}

/** Without the prefix of the public URL, which belongs to what clients sign, so it arrives with it. */
export function pathBelow(request: IncomingMessage, publicUrl: string | undefined): string {
  const prefix = publicUrl === undefined ? '' : new URL(publicUrl).pathname.replace(/\/+$/, '');
  const path = pathOf(request);
  return path.startsWith(prefix) ? path.slice(prefix.length) : path;
}

/** The whole body. @throws AppError InvalidArgumentException  it is longer than any that we read whole */
export async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    if (bytes > adminLimits.bodyBytesMax) throw awsError('InvalidArgumentException', 'the body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The form of a request id. @param random  16 random bytes */
export function uuidOf(random: Uint8Array): string {
  const hex = Buffer.from(random).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20)].join('-');
}
