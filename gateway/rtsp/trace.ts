/**
 * What was said with one camera, as text for whoever supports it: requests and answers without logins, and of each RTP packet
 * its time, size and header. Never a byte of payload: a trace shows no picture. Bounded.
 */

import type { AddressPolicy } from '../../storage/base/address-policy.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { withoutCredentials } from '../../storage/base/log.ts';
import type { RtspSource } from '../../storage/model/camera.ts';
import { type RtspDeps, RtspSession } from './session.ts';
import type { RtspTrace } from './trace-hook.ts';

const rtpHeaderBytes = 12;
/** Two seconds of a camera with three tracks, and whatever it says in the first minute. */
const packetLinesMax = 1_000;
const messageBytesMax = 128 * 1024;
/** Digests and their challenges: nobody shall try passwords against them at home. */
const loginHeader =
  /^((?:Proxy-|WWW-)?(?:Authorization|Authenticate|Authentication-Info))[ \t]*:[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*/gim;

/** Writes a trace down. */
export class TraceText implements RtspTrace {
  readonly #clock: Clock;
  readonly #beganMs: number;
  readonly #lines: string[] = [];
  #messageBytes = 0;
  #packets = 0;
  #leftMessages = 0;

  constructor(deps: { readonly clock: Clock }) {
    this.#clock = deps.clock;
    this.#beganMs = deps.clock.monotonicMs();
  }

  /** What was heard so far. */
  get text(): string {
    const left = [
      ...(this.#leftMessages > 0 ? [`${this.#leftMessages} messages more`] : []),
      ...(this.#packets > packetLinesMax ? [`${this.#packets - packetLinesMax} packets more`] : []),
    ];
    return `${[...this.#lines, ...left].join('\n')}\n`;
  }

  message(direction: 'sent' | 'received', text: string): void {
    if (this.#messageBytes + text.length > messageBytesMax) {
      this.#leftMessages++;
      return;
    }
    this.#messageBytes += text.length;
    this.#lines.push(
      `${this.#time()} ${direction}`,
      ...withoutLogins(text)
        .split(/\r?\n/)
        .map((line) => `    ${line}`),
    );
  }

  packet(channel: number | 'udp', bytes: Uint8Array, begin: number, end: number): void {
    if (++this.#packets > packetLinesMax) return;
    const header = Buffer.from(bytes.subarray(begin, Math.min(end, begin + rtpHeaderBytes))).toString('hex');
    this.#lines.push(`${this.#time()} packet on ${channel}, ${end - begin} bytes, header ${header}`);
  }

  #time(): string {
    return `${((this.#clock.monotonicMs() - this.#beganMs) / 1_000).toFixed(3).padStart(8)} s`;
  }
}

/** Plays a source for a while and tells what was said; whatever fails is told at the end of it. */
export async function traceSource(
  deps: RtspDeps,
  source: RtspSource,
  options: { readonly durationMs: number; readonly addresses?: AddressPolicy },
): Promise<string> {
  const { addresses, durationMs } = options;
  const trace = new TraceText(deps);
  const ending = new AbortController();
  const cancel = deps.clock.after(durationMs, () => ending.abort());
  const session = new RtspSession(deps, { source, trace, ...(addresses === undefined ? {} : { addresses }) });
  const sink = { session: () => {}, unit: () => {}, loss: () => {}, clock: () => {} };
  const { reason, message } = await session.run(sink, ending.signal);
  cancel();
  const warnings = session.facts.warnings.map((text) => `warning: ${text}\n`).join('');
  return withoutCredentials(`${trace.text}${warnings}ended: ${reason}, ${message}\n`);
}

function withoutLogins(text: string): string {
  return withoutCredentials(text.replace(loginHeader, '$1: (removed)'));
}
