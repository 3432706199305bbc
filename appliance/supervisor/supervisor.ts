/**
 * The parent of all roles: starts one process each, recording first, keeps them alive, tells `ingest` what to record and `serve`
 * how everybody is. It does nothing else, so that nothing else can make it fail.
 */

import type { Clock } from '../../storage/base/clock.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import type { Plan } from '../../storage/model/camera.ts';
import type { Paths } from '../../storage/model/paths.ts';
import type { Config } from '../config/index.ts';
import type { SecretBox } from '../secrets/index.ts';
import { InstanceLock } from './instance-lock.ts';
import type { RoleKind, RoleMessage, RoleState, SupervisorMessage } from './messages.ts';
import { readPlan } from './plan-reader.ts';
import { hasPlan, planForRole } from './role-plan.ts';
import { type RolePatience, RoleProcess } from './role-process.ts';
import { RunningConfiguration, supervisorLock } from './running-configuration.ts';

/** Recording comes back at once and waits for its files at stop; the keeper may be in a long transaction; the rest is as it is. */
const patience: Readonly<Record<RoleKind, RolePatience>> = {
  ingest: { firstDelayMs: 100, delayMsMax: 5_000, stopMs: 15_000, silenceMs: 20_000 },
  keeper: { firstDelayMs: 500, delayMsMax: 30_000, stopMs: 10_000, silenceMs: 300_000 },
  serve: { firstDelayMs: 250, delayMsMax: 30_000, stopMs: 5_000, silenceMs: 60_000 },
  demo: { firstDelayMs: 500, delayMsMax: 30_000, stopMs: 3_000, silenceMs: 60_000 },
  onvif: { firstDelayMs: 500, delayMsMax: 30_000, stopMs: 5_000, silenceMs: 60_000 },
};

const noPlan: Plan = { version: 2, sources: [], devices: [] };

/** The other roles start when recording runs, or after this: they compete for the same few cores. */
const ingestHeadStartMs = 1_500;

export type SupervisorDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly box: SecretBox;
  /** Has `box` know keys that were made since. */
  readonly refreshKeys?: () => Promise<void>;
  /** Keeps log lines of roles; none when absent. */
  readonly logs?: { append(role: string, lines: readonly string[], left: number): void };
  /** Shows lines at the terminal that must not be logged. */
  readonly show: (lines: readonly string[]) => void;
};

export type SupervisorOptions = {
  readonly config: Config;
  readonly paths: Paths;
  readonly isDemo: boolean;
  /** `appliance/main.ts`; called as `<entry> role <name>`. */
  readonly entry: string;
};

export class Supervisor {
  readonly #deps: SupervisorDeps;
  readonly #options: SupervisorOptions;
  readonly #lifetime = new Lifetime();
  readonly #roles = new Map<string, RoleProcess>();
  #lastNotice = '';
  #hasServed = false;
  #plan: Plan = noPlan;
  #reading: Promise<void> = Promise.resolve();

  constructor(deps: SupervisorDeps, options: SupervisorOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Resolves when all roles were started, which does not say that all are well. @throws AppError failed_precondition  a second instance */
  async start(): Promise<void> {
    const { clock } = this.#deps;
    const { config, paths, isDemo } = this.#options;
    const ingestNames = Array.from({ length: config.ingest.processes }, (_, index) => `ingest-${index}`);
    const roles = [...ingestNames, 'keeper', 'serve', 'onvif', supervisorLock];
    const lock = new InstanceLock({ clock }, { dataDirectory: paths.data, runDirectory: paths.run, roles });
    this.#lifetime.own(lock);
    await lock.start();
    const configuration = new RunningConfiguration({ log: this.#deps.log }, { config, runDirectory: paths.run });
    this.#lifetime.own(configuration);
    await this.#readPlan();

    // The demo camera outlives the recorder of its stream at stop: the run then ends by our wish, not by a lost connection.
    if (isDemo) this.#startRole('demo', 'demo');
    const ingests: RoleProcess[] = [];
    this.#lifetime.defer(async () => {
      await Promise.all(ingests.map((ingest) => ingest.close()));
    });
    for (const name of ingestNames) ingests.push(this.#makeRole('ingest', name));
    for (const ingest of ingests) ingest.start();
    // After recording, which waits for no disk here.
    const leaving = configuration.start();
    const allStarted = Promise.all(ingests.map((ingest) => ingest.firstStart)).then(() => {});
    await Promise.race([allStarted, clock.sleep(ingestHeadStartMs, this.#lifetime.signal)]);
    this.#startRole('keeper', 'keeper');
    this.#startRole('serve', 'serve');
    if (this.#plan.devices.length > 0) this.#startOnvif();
    await leaving;
  }

  /** Stops all roles: each gets its time, then it is killed. */
  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /** Once wanted it stays: who looked for cameras looks again, and an idle one costs memory alone. */
  #startOnvif(): void {
    if (this.#roles.has('onvif') || this.#lifetime.signal.aborted) return;
    this.#startRole('onvif', 'onvif');
  }

  #startRole(kind: RoleKind, name: string): void {
    this.#lifetime.own(this.#makeRole(kind, name)).start();
  }

  #makeRole(kind: RoleKind, name: string): RoleProcess {
    const { clock, log } = this.#deps;
    const { config, isDemo, entry } = this.#options;
    const role: RoleProcess = new RoleProcess(
      {
        clock,
        log,
        stopping: this.#lifetime.signal,
        onState: () => {
          if (kind === 'serve') this.#showFault(role.state);
          this.#tellServe();
        },
        onFigures: (figures) => this.#send('serve', { type: 'figures', role: name, figures }),
        onMessage: (message) => {
          if (message.type === 'log') this.#deps.logs?.append(name, message.lines, message.left);
          else this.#hear(message);
        },
        onEnded: () => {
          if (kind === 'ingest') this.#send('keeper', { type: 'ingest-ended', name });
        },
      },
      {
        name,
        entry,
        args: ['role', name],
        // Importing packages makes garbage: a small nursery gives it back at once, 14 MB in serve and 5 MB in keeper.
        execArgv: kind === 'ingest' ? [] : ['--max-semi-space-size=4'],
        patience: patience[kind],
        startMessage: () => ({ type: 'start', config, isDemo, plan: this.#planFor(name) }),
      },
    );
    this.#roles.set(name, role);
    return role;
  }

  #hear(message: RoleMessage): void {
    if (message.type === 'plan-changed') this.#reading = this.#reading.then(() => this.#takePlan());
    else if (message.type === 'onvif-wanted') this.#startOnvif();
    else if (message.type === 'notice') {
      this.#hasServed = true;
      this.#show(message.lines);
    }
  }

  /** `serve` tells where it is at each of its starts; people want to read it once. */
  #show(lines: readonly string[]): void {
    const notice = lines.join('\n');
    if (notice === this.#lastNotice) return;
    this.#lastNotice = notice;
    this.#deps.show(lines);
  }

  /** Before its first start there is no page to say why there is no page: another program has the port. */
  #showFault({ state, reason }: RoleState): void {
    if (this.#hasServed || state !== 'waiting' || reason === undefined) return;
    this.#show([
      '',
      `  The page is not there: ${reason}.`,
      '  Cameras are recorded all the same; it is tried again.',
      '',
    ]);
  }

  async #takePlan(): Promise<void> {
    await this.#readPlan();
    if (this.#plan.devices.length > 0) this.#startOnvif();
    for (const [name, role] of this.#roles) {
      if (hasPlan(name)) role.send({ type: 'plan', plan: this.#planFor(name) });
    }
  }

  async #readPlan(): Promise<void> {
    this.#plan = await readPlan(this.#options.paths.plan, this.#deps);
  }

  #planFor(name: string): Plan {
    return planForRole(this.#plan, name, { processes: this.#options.config.ingest.processes });
  }

  #tellServe(): void {
    this.#send('serve', { type: 'roles', roles: [...this.#roles.values()].map((role) => role.state) });
  }

  #send(name: string, message: SupervisorMessage): void {
    this.#roles.get(name)?.send(message);
  }
}
