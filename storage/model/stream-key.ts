/** Stream keys of publishers: shown once, kept as their hash. */

import { createHash } from 'node:crypto';

/** What is kept of a stream key: its SHA-256 as 64 hexadecimal digits. Keys have 160 random bits, so nothing slower is needed. */
export function streamKeySha256(streamKey: string): string {
  return createHash('sha256').update(streamKey).digest('hex');
}
