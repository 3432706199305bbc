/** The line of a role that runs alone: nobody on the other side, so it looks at the plan file itself. */

import { stat } from 'node:fs/promises';
import type { Clock } from '../../storage/base/clock.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import type { Plan } from '../../storage/model/camera.ts';
import type { SecretBox } from '../secrets/index.ts';
import { readPlan } from '../supervisor/index.ts';
import type { RoleLink } from './role-link.ts';

/** A change of a camera by hand takes effect while one looks. */
const lookPeriodMs = 1_000;

export type LocalLinkOptions = {
  readonly planPath: string;
  /** What of the plan is this role's. */
  readonly planFor: (plan: Plan) => Plan;
  readonly show: (lines: readonly string[]) => void;
};

type LocalLinkDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly box: SecretBox;
  readonly refreshKeys?: () => Promise<void>;
};

export class LocalLink implements RoleLink {
  readonly #deps: LocalLinkDeps;
  readonly #options: LocalLinkOptions;
  readonly #lifetime = new Lifetime();
  readonly #callbacks = new Set<(plan: Plan) => void>();
  #version = '';

  constructor(deps: LocalLinkDeps, options: LocalLinkOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Resolves with the plan as it is now. */
  async start(): Promise<Plan> {
    this.#version = await this.#look();
    this.#lifetime.loop(async (signal) => {
      for (;;) {
        await this.#deps.clock.sleep(lookPeriodMs, signal);
        const version = await this.#look();
        if (version === this.#version) continue;
        this.#version = version;
        const plan = await this.#read();
        for (const callback of this.#callbacks) callback(plan);
      }
    });
    return await this.#read();
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  readonly roles = { list: () => [], onChange: () => () => {} };

  readonly onPlan = (callback: (plan: Plan) => void): void => {
    this.#callbacks.add(callback);
  };

  readonly onIngestEnded = (): void => {};

  readonly planChanged = (): void => {};

  /** Whoever runs roles alone runs this one too, or does without. */
  readonly wantOnvif = (): void => {};

  readonly show = (lines: readonly string[]): void => this.#options.show(lines);

  async #read(): Promise<Plan> {
    return this.#options.planFor(await readPlan(this.#options.planPath, this.#deps));
  }

  /** Replaced as a whole, so a new file is a new inode. */
  async #look(): Promise<string> {
    const facts = await stat(this.#options.planPath).catch(() => undefined);
    return facts === undefined ? '' : `${facts.ino} ${facts.mtimeMs}`;
  }
}
