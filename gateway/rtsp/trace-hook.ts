/** How a trace hears what goes over a connection; `trace.ts` writes it down. */

/** Hears what goes over a connection; bytes are borrowed until return. */
export type RtspTrace = {
  message(direction: 'sent' | 'received', text: string): void;
  /** @param channel  interleaved channel, or 'udp' */
  packet(channel: number | 'udp', bytes: Uint8Array, begin: number, end: number): void;
};
