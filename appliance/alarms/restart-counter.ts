/** How often roles were started again of late: the supervisor tells only how often in all. */

import { z } from 'zod';
import { restartsMax, restartWindowMs } from './conditions.ts';

/** What outlives a process: `serve` itself may be the one that is started again and again. */
export const restartNotes = z.record(
  z.string(),
  z.array(z.object({ atMs: z.number(), restarts: z.number() })).max(100),
);

export type RestartNotes = z.infer<typeof restartNotes>;

/** Roles and how often each was started again before; notes are kept for the window alone. */
export class RestartCounter {
  #notes: RestartNotes;

  /** @param notes  those of the process before */
  constructor(notes: RestartNotes) {
    this.#notes = notes;
  }

  get notes(): RestartNotes {
    return this.#notes;
  }

  /** Takes the numbers of now. Returns true when they are others than before. */
  note(roles: readonly { readonly role: string; readonly restarts: number }[], nowMs: number): boolean {
    let isChanged = false;
    const notes: RestartNotes = {};
    for (const { role, restarts } of roles) {
      const known = this.#notes[role] ?? [];
      const isAnew = known.some((note) => note.restarts > restarts || note.atMs > nowMs);
      const kept = isAnew ? [] : recent(known, nowMs);
      if (kept.at(-1)?.restarts !== restarts) {
        kept.push({ atMs: nowMs, restarts });
        isChanged = true;
      }
      notes[role] = kept.slice(-100);
    }
    this.#notes = notes;
    return isChanged;
  }

  /** Roles that were started again `restartsMax` times or more within the window, and how often. */
  looping(nowMs: number): ReadonlyMap<string, number> {
    const counts = Object.entries(this.#notes).map(([role, notes]): [string, number] => {
      const within = recent(notes, nowMs);
      return [role, (within.at(-1)?.restarts ?? 0) - (within[0]?.restarts ?? 0)];
    });
    return new Map(counts.filter(([, count]) => count >= restartsMax));
  }
}

/** Notes of the window, and the last one before it: what the count began from. */
function recent(notes: RestartNotes[string], nowMs: number): RestartNotes[string] {
  const firstWithin = notes.findIndex(({ atMs }) => atMs >= nowMs - restartWindowMs);
  return firstWithin < 0 ? notes.slice(-1) : notes.slice(Math.max(0, firstWithin - 1));
}
