/** Asks a camera what it has, and no more: OPTIONS and DESCRIBE with its login. No session is opened at the camera. */

import { AddressPolicy } from '../../storage/base/address-policy.ts';
import type { RtspSource } from '../../storage/model/camera.ts';
import { RtspConnection } from './connection.ts';
import { RtspControl } from './control.ts';
import type { RtspDeps } from './session.ts';
import { SharedReads } from './shared-reads.ts';
import { faults, SourceFault } from './source.ts';
import { Login } from './wire/login.ts';
import { connectHost, parseRtspUrl } from './wire/url.ts';

export type DescribeResult = {
  readonly server: string | undefined;
  /** Encodings as the camera names them: 'H264', 'PCMA'; empty of one that redirects. */
  readonly encodings: readonly string[];
  readonly connectMs: number;
  readonly describeMs: number;
};

/** @throws SourceFault  why not, and what a person can do */
export async function describeSource(
  deps: RtspDeps,
  source: RtspSource,
  options: { readonly deadlineMs: number; readonly addresses?: AddressPolicy },
): Promise<DescribeResult> {
  const { clock } = deps;
  const url = parseRtspUrl(source.url);
  if (url === undefined)
    throw faults.protocol('the URL is no RTSP URL', 'write rtsp://address/path, as the manual of the camera says');
  const addresses = options.addresses ?? new AddressPolicy({ networks: [] });
  const over = Promise.withResolvers<never>();
  over.promise.catch(() => {});
  const connection = new RtspConnection(
    {
      clock,
      handler: {
        packet: () => {},
        isChannel: () => false,
        garbage: () => {},
        ended: (fault) => over.reject(fault),
        crashed: (error) => over.reject(error),
      },
    },
    { url, addresses, tls: source.tls, reads: new SharedReads({ clock }, { turnMs: () => 0 }) },
  );
  const { username, password } = source;
  const credentials = username === undefined ? undefined : { username, password: password ?? '' };
  const login = new Login({ random: deps.random }, { credentials, isBasicAllowed: true });
  const control = new RtspControl({ connection, login, clock }, { url });
  const late = faults.unreachable(
    `${connectHost(url)}:${url.port} did not answer within ${options.deadlineMs / 1000} s`,
  );
  const cancel = clock.after(options.deadlineMs, () => over.reject(late));
  try {
    const beganMs = clock.monotonicMs();
    await Promise.race([connection.connect(), over.promise]);
    const connectMs = clock.monotonicMs() - beganMs;
    const described = await Promise.race([control.describe(), over.promise]);
    const describeMs = clock.monotonicMs() - beganMs - connectMs;
    const medias = described.kind === 'redirect' ? [] : described.description.medias;
    const encodings = medias.flatMap(({ formats }) => formats.map(({ encoding }) => encoding));
    return { server: control.server, encodings: [...new Set(encodings)].slice(0, 8), connectMs, describeMs };
  } catch (error) {
    throw error instanceof SourceFault
      ? error
      : new SourceFault({ ...late, reason: 'source-error', message: 'the answer could not be read' }, { cause: error });
  } finally {
    cancel();
    connection.destroy();
  }
}
