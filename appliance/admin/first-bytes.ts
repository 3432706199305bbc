/** Looks at what a connection says first and puts it back. */

import type { Socket } from 'node:net';
import type { Clock } from '../../storage/base/clock.ts';
import { appError, isAppError } from '../../storage/base/errors.ts';

export type FirstOptions = {
  readonly clock: Clock;
  /** On `Clock.monotonicMs`. */
  readonly deadlineMs: number;
  readonly bytesMax: number;
};

/**
 * Reads until `find` returns something, then puts every byte back, so that the next owner sees the connection untouched.
 * The socket is left paused. Whoever awaits this must hand it over and resume it without awaiting anything else: an HTTP
 * server reads past the stream's buffer, so bytes of a later turn of the event loop would overtake those put back.
 *
 * @throws AppError deadline_exceeded   not within its time
 * @throws AppError resource_exhausted  not within `bytesMax`
 * @throws AppError cancelled           the connection ended before
 */
export function readFirst<T>(
  socket: Socket,
  find: (bytes: Uint8Array) => T | undefined,
  options: FirstOptions,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const stop = () => {
      cancel();
      socket.off('data', onData).off('end', onEnd).off('close', onEnd);
      socket.pause();
    };
    const onData = (chunk: Buffer) => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const found = find(bytes);
      if (found !== undefined) {
        stop();
        socket.unshift(bytes);
        resolve(found);
      } else if (bytes.length >= options.bytesMax) {
        stop();
        reject(appError('resource_exhausted', 'first request head is too long', { bytesMax: options.bytesMax }));
      }
    };
    const onEnd = () => {
      stop();
      reject(appError('cancelled', 'the connection ended before its first request'));
    };
    const cancel = options.clock.after(options.deadlineMs - options.clock.monotonicMs(), () => {
      stop();
      reject(appError('deadline_exceeded', 'the first request did not come in time'));
    });
    socket.on('data', onData).on('end', onEnd).on('close', onEnd);
    socket.resume();
  });
}

/** Says why in one line of HTTP, where there is somebody to hear it, and ends the connection. */
export function refuseConnection(socket: Socket, error: unknown, clock: Clock): void {
  const status = isAppError(error, 'resource_exhausted')
    ? '431 Request Header Fields Too Large'
    : isAppError(error, 'deadline_exceeded')
      ? '408 Request Timeout'
      : undefined;
  if (status === undefined || !socket.writable) socket.destroy();
  else endWith(socket, `HTTP/1.1 ${status}\r\n`, clock);
}

/** Time in which a client may read why it is sent away; closing at once would reset the connection before. */
const lingerMs = 1_000;

/** Sends a head without a body as the connection's last words. */
export function endWith(socket: Socket, head: string, clock: Clock): void {
  const cancel = clock.after(lingerMs, () => socket.destroy());
  socket.once('close', cancel);
  socket.resume();
  socket.end(`${head}content-length: 0\r\nconnection: close\r\n\r\n`);
}
