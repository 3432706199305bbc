/** Runs the demo camera and adds it to the appliance, once: who removes it wants it removed. */

import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isAppError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { ApiClient } from '../api-client/index.ts';
import { DemoCamera, type DemoCameraDeps } from './demo-camera.ts';
import { readDemoState, writeDemoState } from './demo-state.ts';

const retryMs = 500;

export class Demo {
  readonly #deps: DemoCameraDeps & { readonly api: ApiClient };
  readonly #options: { readonly statePath: string; readonly ffmpegPath: string };
  readonly #lifetime = new Lifetime();

  constructor(
    deps: DemoCameraDeps & { readonly api: ApiClient },
    options: { readonly statePath: string; readonly ffmpegPath: string },
  ) {
    this.#deps = deps;
    this.#options = options;
  }

  async start(): Promise<void> {
    const { statePath, ffmpegPath } = this.#options;
    const state = await readDemoState(statePath);
    const camera = this.#lifetime.own(new DemoCamera(this.#deps, { port: state?.port ?? 0, ffmpegPath }));
    const port = await camera.start();
    if (state?.isCameraAdded === true) return;
    await mkdir(dirname(statePath), { recursive: true });
    await writeDemoState(statePath, { port, isCameraAdded: false });
    this.#lifetime.loop((signal) => this.#addCamera(port, signal));
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /** Until `serve` answers; a camera of that name is ours from a start that ended between the two writes. */
  async #addCamera(port: number, signal: AbortSignal): Promise<void> {
    const { api, clock, log } = this.#deps;
    const camera = { name: 'demo', source: { kind: 'rtsp', url: `rtsp://127.0.0.1:${port}/demo`, transport: 'tcp' } };
    for (;;) {
      try {
        await api.call('POST', '/api/cameras', camera);
        break;
      } catch (error) {
        if (isAppError(error, 'already_exists')) break;
        if (!isAppError(error, 'unavailable')) log.warn('demo camera could not be added yet', { error });
        await clock.sleep(retryMs, signal);
      }
    }
    await writeDemoState(this.#options.statePath, { port, isCameraAdded: true });
    log.info('demo camera added', { port });
  }
}
