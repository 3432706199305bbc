/** What the newest plan says of how streams are kept, and what an older one last said of streams that it names no more. */

import type { IndexWriter, StreamPolicy } from '../index/index.ts';
import { isRing, type Plan } from '../model/camera.ts';

export class Policies {
  readonly #index: IndexWriter;
  #plan: Plan | undefined;
  #rows = new Map<string, StreamPolicy>();

  constructor(dependencies: { readonly index: IndexWriter }) {
    this.#index = dependencies.index;
  }

  setPlan(plan: Plan): void {
    this.#plan = plan;
  }

  /** Writes the plan's policies; to be called when either changes, plan or index, while the index is open. */
  write(): void {
    const { sources = [] } = this.#plan ?? {};
    this.#index.transaction((change) => {
      for (const { streamId, cameraId, recording } of sources) {
        change.state.setPolicy({
          streamId,
          cameraId,
          retentionHours: recording.retentionHours,
          cameraBytesMax: recording.bytesMax,
        });
      }
    });
    this.#rows = new Map(this.#index.state.policies().map((policy) => [policy.streamId, policy]));
  }

  /** True for a stream that is kept for live players alone. */
  isRing(streamId: string): boolean {
    const planned = this.#plan?.sources.find((source) => source.streamId === streamId);
    if (planned !== undefined) return isRing(planned.recording);
    return this.#rows.get(streamId)?.retentionHours === 0;
  }
}
