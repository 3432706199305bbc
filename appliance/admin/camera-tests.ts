/** Trying cameras out: few at a time, whoever asks, since each test holds a session of a camera and maybe a decoder. */

import { isAppError, toAppError } from '../../storage/base/errors.ts';
import type { RtspSource } from '../../storage/model/camera.ts';
import type { Context } from './context.ts';
import { adminLimits } from './limits.ts';
import type { ProbeResult } from './parts.ts';
import { Turns } from './turns.ts';

export class CameraTests {
  readonly #probe: Context['probe'];
  readonly #turns = new Turns({
    atOnceMax: adminLimits.probesMax,
    waitingMax: adminLimits.probesMax,
    what: 'camera tests',
  });

  constructor({ probe }: Pick<Context, 'probe'>) {
    this.#probe = probe;
  }

  /**
   * @param signalOf  made when it is this test's turn; its deadline is the test's
   * @throws AppError resource_exhausted  too many wait already
   */
  test(source: RtspSource, signalOf: () => AbortSignal): Promise<ProbeResult> {
    return this.#turns.take(() => this.#probe(source, signalOf()).catch((error: unknown) => timedOut(error)));
  }
}

/** A camera that connects and sends nothing is an answer too. */
function timedOut(error: unknown): ProbeResult {
  if (!isAppError(error, 'deadline_exceeded')) throw toAppError(error);
  return {
    tracks: [],
    picture: undefined,
    warnings: [],
    fault: {
      reason: 'source-silent',
      message: `no picture within ${adminLimits.probeTimeoutMs / 1000} s`,
      hint: 'check that the camera streams at this address, with another player',
    },
  };
}
