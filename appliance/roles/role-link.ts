/**
 * A role's end of its line to the supervisor. Alone (`weir serve --role ingest`) there is no supervisor: then the plan file is
 * looked at instead, and nobody tells about other roles.
 */

import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Plan } from '../../storage/model/camera.ts';
import type { RoleFigures, RoleMessage, RoleState, SupervisorMessage } from '../supervisor/index.ts';

export type StartMessage = Extract<SupervisorMessage, { type: 'start' }>;

/** What a role hears and says while it runs. */
export type RoleLink = {
  readonly onPlan: (callback: (plan: Plan) => void) => void;
  readonly onIngestEnded: (callback: (name: string) => void) => void;
  readonly roles: {
    readonly list: () => readonly (RoleState & { readonly figures?: RoleFigures | undefined })[];
    readonly onChange: (callback: () => void) => () => void;
  };
  readonly planChanged: () => void;
  /** Has the role `onvif` started if it does not run. */
  readonly wantOnvif: () => void;
  /** Shown once at the supervisor's terminal, never logged. */
  readonly show: (lines: readonly string[]) => void;
};

/** The part of `process` that a child of `fork` has. */
export type ParentChannel = Pick<NodeJS.Process, 'on' | 'off'> & { readonly send?: NodeJS.Process['send'] };

export class SupervisorLink implements RoleLink {
  readonly #channel: ParentChannel;
  readonly #ownFigures: () => RoleFigures;
  readonly #lifetime = new Lifetime();
  readonly #started: PromiseWithResolvers<StartMessage> = Promise.withResolvers();
  readonly #lost: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #planCallbacks = new Set<(plan: Plan) => void>();
  readonly #endedCallbacks = new Set<(name: string) => void>();
  readonly #roleCallbacks = new Set<() => void>();
  readonly #figures = new Map<string, RoleFigures>();
  #roles: readonly RoleState[] = [];

  /** @param figures  of this process, taken for every sign of life */
  constructor(channel: ParentChannel, figures: () => RoleFigures) {
    this.#channel = channel;
    this.#ownFigures = figures;
  }

  /** Resolves with the start message. */
  start(): Promise<StartMessage> {
    const onMessage = (message: SupervisorMessage) => this.#hear(message);
    const onDisconnect = () => this.#lost.resolve();
    this.#channel.on('message', onMessage);
    this.#channel.on('disconnect', onDisconnect);
    this.#lifetime.defer(() => {
      this.#channel.off('message', onMessage);
      this.#channel.off('disconnect', onDisconnect);
    });
    return this.#started.promise;
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /** Resolves when the supervisor is gone: a role must not outlive it, or the next one's would record beside it. */
  get lost(): Promise<void> {
    return this.#lost.promise;
  }

  readonly roles = {
    list: () => this.#roles.map((state) => ({ ...state, figures: this.#figures.get(state.role) })),
    onChange: (callback: () => void) => {
      this.#roleCallbacks.add(callback);
      return () => this.#roleCallbacks.delete(callback);
    },
  };

  readonly onPlan = (callback: (plan: Plan) => void): void => {
    this.#planCallbacks.add(callback);
  };

  readonly onIngestEnded = (callback: (name: string) => void): void => {
    this.#endedCallbacks.add(callback);
  };

  readonly planChanged = (): void => this.say({ type: 'plan-changed' });

  readonly wantOnvif = (): void => this.say({ type: 'onvif-wanted' });

  readonly show = (lines: readonly string[]): void => this.say({ type: 'notice', lines });

  /** Says something if somebody listens. */
  readonly say = (message: RoleMessage): void => {
    this.#channel.send?.(message, undefined, undefined, () => {});
  };

  /** As `LogSender` sends. */
  readonly sendLog = (
    { lines, left }: { readonly lines: readonly string[]; readonly left: number },
    done: () => void,
  ): void => {
    const message: RoleMessage = { type: 'log', lines, left };
    if (this.#channel.send === undefined) done();
    else this.#channel.send(message, undefined, undefined, done);
  };

  #hear(message: SupervisorMessage): void {
    switch (message.type) {
      case 'start':
        this.#started.resolve(message);
        break;
      case 'plan':
        for (const callback of this.#planCallbacks) callback(message.plan);
        break;
      case 'roles':
        this.#roles = message.roles;
        for (const callback of this.#roleCallbacks) callback();
        break;
      case 'figures':
        this.#figures.set(message.role, message.figures);
        break;
      case 'ingest-ended':
        for (const callback of this.#endedCallbacks) callback(message.name);
        break;
      case 'ping':
        this.say({ type: 'pong', id: message.id, figures: this.#ownFigures() });
        break;
    }
  }
}
