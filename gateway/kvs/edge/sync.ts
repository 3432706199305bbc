/**
 * How a configuration went: recording has to have it, and the camera to answer or to fail. Then it is settled for good, as with
 * AWS; what the recorder does later is told beside it.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import type { Catalog, EdgeConfiguration, EdgeState } from '../../../storage/catalog/index.ts';
import type { SourceState } from '../../../storage/model/camera.ts';
import type { GapReason } from '../../../storage/model/run.ts';

/** What is known of sources now: `StateBoard` is one. */
export type SourceStates = {
  readonly state: (streamId: string) => SourceState | undefined;
  /** Returns how to stop. */
  readonly listen: (listener: {
    readonly onState: (state: SourceState) => void;
    readonly onSnapshot: () => void;
    readonly onRecorded: () => void;
  }) => () => void;
};

/** AWS gives up after as long. */
const syncMsMax = 15 * 60_000;
/** Recording takes a plan up within a second; a state from before it counts after this, since a camera that stayed has no newer one. */
const planMsMax = 10_000;

type Tables = Pick<Catalog['tables'], 'edgeConfigurations'>;

export class EdgeSync {
  readonly #clock: Pick<Clock, 'wallMs'>;
  readonly #tables: () => Tables;
  readonly #states: SourceStates;
  /** Streams that are to be settled: states of all cameras come by here, and the catalog is not asked about the others. */
  readonly #syncing = new Set<string>();
  #stop: (() => void) | undefined;

  constructor({
    clock,
    tables,
    states,
  }: {
    readonly clock: Pick<Clock, 'wallMs'>;
    readonly tables: () => Tables;
    readonly states: SourceStates;
  }) {
    this.#clock = clock;
    this.#tables = tables;
    this.#states = states;
  }

  start(): void {
    this.#stop = this.#states.listen({
      onState: ({ streamId }) => this.#look(streamId),
      onSnapshot: () => {
        for (const streamId of [...this.#syncing]) this.#look(streamId);
      },
      onRecorded: () => {},
    });
    for (const { streamId } of this.#tables().edgeConfigurations.syncing()) this.began(streamId);
  }

  /** To be called when a configuration is to be carried out. */
  began(streamId: string): void {
    this.#syncing.add(streamId);
  }

  close(): Promise<void> {
    this.#stop?.();
    this.#stop = undefined;
    return Promise.resolve();
  }

  /** A stream's configuration as it stands now. */
  find(streamId: string): EdgeConfiguration | undefined {
    const { edgeConfigurations } = this.#tables();
    const found = edgeConfigurations.find(streamId);
    if (found === undefined || found.state !== 'syncing') {
      this.#syncing.delete(streamId);
      return found;
    }
    const outcome = outcomeOf(found, this.#states.state(streamId), this.#clock.wallMs());
    if (outcome === undefined) return found;
    edgeConfigurations.settle(found, outcome);
    this.#syncing.delete(streamId);
    return { ...found, ...outcome };
  }

  /** A catalog that cannot be read just now is looked into again with the next word of the camera, and by whoever asks. */
  #look(streamId: string): void {
    if (!this.#syncing.has(streamId)) return;
    try {
      this.find(streamId);
    } catch {}
  }

  /** What the recorder of a stream does now; undefined while nobody can say. */
  recorder(streamId: string): SourceState | undefined {
    return this.#states.state(streamId);
  }
}

type Outcome = { readonly state: EdgeState; readonly failure: string | null };

/** Undefined: that is not known yet. */
function outcomeOf(
  { updatedMs }: EdgeConfiguration,
  state: SourceState | undefined,
  nowMs: number,
): Outcome | undefined {
  const ageMs = nowMs - updatedMs;
  const counts = state !== undefined && (state.sinceMs >= updatedMs || ageMs >= planMsMax);
  if (counts && state.state === 'live') return { state: 'in-sync', failure: null };
  if (counts && (state.state === 'retrying' || state.state === 'stopped')) {
    return { state: 'failed', failure: state.message ?? 'the camera does not send' };
  }
  if (ageMs < syncMsMax) return undefined;
  return { state: 'failed', failure: state?.message ?? 'recording did not take it up within 15 minutes' };
}

/** Faults that whoever wrote the configuration can mend. */
const usersFaults: ReadonlySet<GapReason> = new Set([
  'unreachable',
  'refused',
  'unauthorized',
  'not-allowed',
  'not-found',
  'unsupported-codec',
]);

/** The member `EdgeAgentStatus`, as far as somebody knows. */
export function edgeAgentStatus(
  { settings }: EdgeConfiguration,
  state: SourceState | undefined,
  nowMs: number,
): object | undefined {
  // Nothing is uploaded by a schedule: what is recorded is in the stream at once. So there is no status of an upload to tell.
  const uploader = settings.uploader && {
    LastUploaderStatus: { JobStatusDetails: 'the schedule is kept; what is recorded is in the stream at once' },
  };
  const recorder = state && { LastRecorderStatus: recorderStatus(state, nowMs) };
  return recorder === undefined && uploader === undefined ? undefined : { ...recorder, ...uploader };
}

function recorderStatus(state: SourceState, nowMs: number): object {
  const times = { LastCollectedTime: nowMs / 1_000, LastUpdatedTime: state.sinceMs / 1_000 };
  if (state.state === 'live' && state.recordingFault === undefined) {
    const details = state.isRecording
      ? 'the camera is recorded'
      : 'the camera is connected, and not recorded at this time';
    return { JobStatusDetails: details, ...times, RecorderStatus: 'SUCCESS' };
  }
  const details = state.recordingFault?.message ?? state.message ?? 'the camera is not connected yet';
  const isUsers = state.reason !== undefined && usersFaults.has(state.reason);
  return { JobStatusDetails: details, ...times, RecorderStatus: isUsers ? 'USER_ERROR' : 'SYSTEM_ERROR' };
}
