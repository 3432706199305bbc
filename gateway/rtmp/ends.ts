/** How a publisher's session ends, in words that help at the site. */

import type { SourceEnd } from '../rtsp/index.ts';

export const ends = {
  shutdown: { reason: 'shutdown', message: 'the session was ended by us', hint: 'nothing to do', isRetryable: false },
  closed: {
    reason: 'source-closed',
    message: 'the publisher ended its stream',
    hint: 'start the stream again in the encoder',
    isRetryable: true,
  },
  lost: (message: string): SourceEnd => ({
    reason: 'connection-lost',
    message,
    hint: 'check cables, switch and Wi-Fi between this server and the publisher',
    isRetryable: true,
  }),
  replaced: {
    reason: 'connection-lost',
    message: 'another connection with the same stream key took over from one that sent nothing more',
    hint: 'nothing to do, unless two encoders use the same stream key',
    isRetryable: true,
  },
  silent: (message: string): SourceEnd => ({
    reason: 'source-silent',
    message,
    hint: 'look at the encoder: is its camera on, does its network hold what it sends?',
    isRetryable: true,
  }),
  unsupported: (what: string): SourceEnd => ({
    reason: 'unsupported-codec',
    message: `the publisher sends ${what}, which is not recorded`,
    hint: 'set the encoder to H.264 or H.265 with AAC or Opus',
    isRetryable: true,
  }),
  protocol: (message: string): SourceEnd => ({
    reason: 'protocol-error',
    message,
    hint: 'update the firmware or version of the encoder; if this goes on, please report it',
    isRetryable: true,
  }),
} as const satisfies Record<string, SourceEnd | ((text: string) => SourceEnd)>;
