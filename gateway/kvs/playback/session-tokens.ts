/**
 * Session tokens: a session sealed by AES-256-GCM, so that a URL tells nobody who made it, and nobody makes one but us. There is no
 * table of them: what a token opens is decided anew at every request.
 */

import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { z } from 'zod';
import { parseFragmentNumber } from '../../../storage/model/fragment-number.ts';
import { awsError } from '../errors.ts';
import type { PlaybackSession } from './session.ts';

const formatVersion = 1;
const nonceBytes = 12;
const tagBytes = 16;
/** A session has 300 bytes, and an owner with a policy of their own 2 KB more. */
const tokenCharactersMax = 6_000;
/** ECMAScript's range of dates. */
const timeMs = z.number().min(-8.64e15).max(8.64e15);

const shape = z.tuple([
  z.literal(formatVersion),
  z.string(),
  z.string(),
  z.string(),
  z.enum(['hls', 'dash']),
  z.enum(['live', 'live-replay', 'on-demand']),
  z.enum(['server', 'producer']),
  timeMs.nullable(),
  timeMs.nullable(),
  z.enum(['fmp4', 'ts']),
  z.enum(['always', 'never', 'on-discontinuity']),
  z.boolean(),
  z.boolean(),
  z.number().int().min(1),
  timeMs,
  timeMs,
  z.string().nullable(),
  z.number(),
]);

export class SessionTokens {
  readonly #random: (bytes: number) => Uint8Array;
  readonly #key: Uint8Array;

  /** @param options.secret  the same after a restart; whoever has it makes tokens */
  constructor(
    { random }: { readonly random: (bytes: number) => Uint8Array },
    { secret }: { readonly secret: Uint8Array },
  ) {
    this.#random = random;
    this.#key = new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(), 'kvs streaming session', 32));
  }

  /** Letters, digits, `-` and `_` alone. */
  seal(session: PlaybackSession): string {
    const { range } = session;
    const facts: z.infer<typeof shape> = [
      formatVersion,
      session.streamId,
      session.streamName,
      session.owner,
      session.protocol,
      session.mode,
      session.axis,
      range?.beginMs ?? null,
      range?.endMs ?? null,
      session.container,
      session.discontinuity,
      session.showsTimestamps,
      session.showsNumbers,
      session.resultsMax,
      session.startedMs,
      session.expiresMs,
      session.anchor ?? null,
      session.leadMs,
    ];
    const nonce = this.#random(nonceBytes);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce);
    const sealed = Buffer.concat([cipher.update(JSON.stringify(facts)), cipher.final()]);
    return Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString('base64url');
  }

  /** @throws AppError AccessDeniedException  none of ours, or no longer good */
  open(token: string | undefined, nowMs: number): PlaybackSession {
    const session = this.#unsealed(token ?? '');
    if (session === undefined) throw awsError('AccessDeniedException', 'The streaming session token is not valid');
    if (session.expiresMs <= nowMs) throw awsError('AccessDeniedException', 'Streaming session token is expired');
    return session;
  }

  #unsealed(token: string): PlaybackSession | undefined {
    // One spelling of one token: decoding alone would take others too.
    if (token.length > tokenCharactersMax || !/^[A-Za-z0-9_-]+$/.test(token)) return undefined;
    const bytes = Buffer.from(token, 'base64url');
    if (bytes.length < nonceBytes + tagBytes || bytes.toString('base64url') !== token) return undefined;
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, nonceBytes), {
        authTagLength: tagBytes,
      });
      decipher.setAuthTag(bytes.subarray(-tagBytes));
      const text = Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()]);
      return sessionOf(JSON.parse(text.toString()));
    } catch {
      // Not ours, or of a release that wrote them otherwise.
      return undefined;
    }
  }
}

function sessionOf(facts: unknown): PlaybackSession {
  const [, streamId, streamName, owner, protocol, mode, axis, beginMs, endMs, container, discontinuity, ...rest] =
    shape.parse(facts);
  const [showsTimestamps, showsNumbers, resultsMax, startedMs, expiresMs, anchor, leadMs] = rest;
  return {
    ...{ streamId, streamName, owner, protocol, mode, axis, container, discontinuity },
    range: beginMs === null ? undefined : { beginMs, endMs: endMs ?? undefined },
    ...{ showsTimestamps, showsNumbers, resultsMax, startedMs, expiresMs, leadMs },
    anchor: anchor === null ? undefined : parseFragmentNumber(anchor),
  };
}
