/**
 * Cuts the access units of one session into fragments and runs, fit for PutMedia by construction. Pure: no clock, no I/O; what
 * it decides it says to its sink at once.
 *
 *   unit -> plausible? -> written into the open fragment | held for the next one -> cut -> settled -> written
 *
 * One track leads: the video, or else the first audio. A *cut* begins at a unit of the lead. Until every track has passed it,
 * units of the next fragment are held, so that each fragment has a unit of each track of its run and everything in it is
 * later than everything before. The README tells the rules.
 */

import { assert, must } from '../../storage/base/assert.ts';
import type { AccessUnit } from '../../storage/model/access-unit.ts';
import { limits } from '../../storage/model/limits.ts';
import type { RunEndReason } from '../../storage/model/run.ts';
import type { Track } from '../../storage/model/track.ts';
import { type Cut, type CutView, forecast, heldBeyondMs, isSameSet, isSubset, tracksPassed } from './cut.ts';
import type { DropReason, FragmentSink } from './fragment-sink.ts';
import { HeldUnits, type HoldBudget } from './held-units.ts';
import { type HoleFinder, holeFinderOf } from './holes.ts';
import { OpenFragment } from './open-fragment.ts';
import { SessionTimes } from './session-times.ts';

type Run = {
  readonly tracks: readonly Track[];
  readonly trackNumbers: ReadonlySet<number>;
  readonly leadTrack: number;
  readonly offsetUs: number;
  /** Of each track: the time of the last unit that was written. */
  readonly writtenMs: Map<number, number>;
  /** Of the track that leads. */
  readonly holes: HoleFinder;
};

export class Fragmenter {
  readonly #sink: FragmentSink;
  readonly #tracks: readonly Track[];
  readonly #keepsShortEnd: boolean;
  readonly #times: SessionTimes;
  readonly #holes: ReadonlyMap<number, HoleFinder>;
  readonly #videoTrack: number | undefined;
  readonly #held: HeldUnits;
  /** Tracks that the run lacks and that have sent something again. */
  readonly #returned = new Set<number>();
  #run: Run | undefined;
  #open: OpenFragment | undefined;
  #cut: Cut | undefined;
  #wantedRunChange: RunEndReason | undefined;

  /**
   * @param dependencies.budget  what held units are taken from
   * @param options.tracks         the session's tracks; `limits.tracksMax` at most
   * @param options.keepsShortEnd  a last fragment that lacks a track becomes a run of its own however short it is: a camera comes
   *                               back with another key frame, a file does not
   */
  constructor(
    dependencies: { readonly sink: FragmentSink; readonly budget: HoldBudget },
    options: { readonly tracks: readonly Track[]; readonly keepsShortEnd?: boolean },
  ) {
    assert(options.tracks.length > 0 && options.tracks.length <= limits.tracksMax, 'a session has one to three tracks');
    this.#sink = dependencies.sink;
    this.#held = new HeldUnits(dependencies.budget);
    this.#tracks = options.tracks;
    this.#keepsShortEnd = options.keepsShortEnd ?? false;
    this.#times = new SessionTimes(options.tracks);
    this.#holes = new Map(options.tracks.map((track) => [track.number, holeFinderOf(track)]));
    this.#videoTrack = options.tracks.find((track) => track.kind === 'video')?.number;
  }

  /** Units that were pushed and are neither written nor dropped yet: they follow the open fragment. Views, for this moment. */
  get held(): readonly AccessUnit[] {
    return this.#held.units;
  }

  /** Session time minus run time, microseconds; undefined between runs. */
  get runOffsetUs(): number | undefined {
    return this.#run?.offsetUs;
  }

  /**
   * Takes the next unit, in the order of its track.
   *
   * @param unit  borrowed until return
   * @throws AppError resource_exhausted  the shared budget is used up: `restart()` and go on
   * @throws                              whatever the sink throws: likewise
   */
  push(unit: AccessUnit): void {
    const times = this.#times.of(unit.trackNumber);
    if (unit.bytes.length === 0 || unit.bytes.length > limits.accessUnitBytesMax) {
      this.#drop(unit, 'bad-size');
      return;
    }
    if (!this.#isPlausible(unit)) return;
    const straight = times.straightened(unit);
    times.note(straight);
    this.#held.borrow(straight);
    this.#accept(straight);
    this.#settleCut(unit.receivedMonotonicMs, { isEnding: false });
    this.#held.settle();
  }

  /** Lets time pass without a unit: a fragment that waits for a track that sends nothing is closed. */
  tick(monotonicMs: number): void {
    this.#settleCut(monotonicMs, { isEnding: false });
    this.#held.settle();
  }

  /** Another run begins at the next key frame, without losing a unit. */
  changeRunAtKey(reason: RunEndReason): void {
    if (this.#run !== undefined) this.#wantedRunChange = reason;
  }

  /** Ends the run, if there is one: everything held is written where a track set allows it. Another may begin. */
  end(reason: RunEndReason): void {
    this.#settleCut(Number.POSITIVE_INFINITY, { isEnding: true });
    if (this.#open !== undefined) for (const unit of this.#held.takeAll()) this.#write(unit);
    this.#commit(undefined);
    this.#endRun(reason);
    this.#dropHeld('run-end');
  }

  /** Forgets the run after its file failed: a new one begins at the next key frame. The sink is not asked to end anything. */
  restart(): void {
    this.#open = undefined;
    this.#cut = undefined;
    this.#run = undefined;
    this.#wantedRunChange = undefined;
    this.#dropHeld('not-writable');
  }

  /** Ends the run at a unit whose time breaks off; false for one that cannot be used. */
  #isPlausible(unit: AccessUnit): boolean {
    const verdict = this.#times.judge(unit, this.#run?.leadTrack ?? this.#videoTrack);
    if (verdict === 'wrong') this.#drop(unit, 'time-jump');
    if (verdict === 'silence' || verdict === 'jump') {
      this.end(verdict === 'silence' ? 'source-silent' : 'time-jump');
      this.#times.forget();
    }
    return verdict !== 'wrong';
  }

  #accept(unit: AccessUnit): void {
    const run = this.#run;
    if (run === undefined) {
      this.#acceptIdle(unit);
      return;
    }
    const isLeftOut = !run.trackNumbers.has(unit.trackNumber);
    if (isLeftOut && unit.trackNumber === this.#videoTrack) this.#acceptLeftOutVideo(unit);
    else {
      if (isLeftOut) this.#returned.add(unit.trackNumber);
      if (this.#cut !== undefined) this.#acceptDuringCut(unit, this.#cut, run);
      else this.#acceptOpen(unit, run, must(this.#open, 'a run without a cut has an open fragment'));
    }
  }

  /** No run yet: it begins with a key frame of the video, or with audio where no video comes. */
  #acceptIdle(unit: AccessUnit): void {
    const cut = this.#cut;
    if (cut !== undefined) {
      if (unit.trackNumber !== cut.leadTrack && unit.presentationTimeUs < cut.atUs) this.#drop(unit, 'before-run');
      else this.#held.hold(unit);
      return;
    }
    if (unit.trackNumber === this.#videoTrack) {
      if (unit.isKey) this.#beginFirstCut(unit);
      else this.#drop(unit, 'before-key');
      return;
    }
    this.#held.hold(unit);
    const oldest = must(this.#held.units[0], 'a held unit is there');
    const waitedMs = unit.receivedMonotonicMs - oldest.receivedMonotonicMs;
    if (this.#videoTrack === undefined) this.#beginFirstCut(this.#takeHeld(oldest));
    else if (waitedMs >= limits.firstTrackWaitMs) {
      this.#takeHeld(oldest);
      const isVideoAlive = this.#times.isAlive(this.#videoTrack, unit.receivedMonotonicMs);
      if (isVideoAlive) this.#drop(oldest, 'before-key');
      else this.#beginFirstCut(oldest);
    }
  }

  #takeHeld(unit: AccessUnit): AccessUnit {
    this.#held.take((each) => each === unit);
    return unit;
  }

  #beginFirstCut(unit: AccessUnit): void {
    const isBefore = (each: AccessUnit) => each.presentationTimeUs < unit.presentationTimeUs;
    for (const each of this.#held.take(isBefore)) this.#drop(each, 'before-run');
    for (const each of this.#held.take((far) => this.#times.isFarFrom(unit.trackNumber, far)))
      this.#drop(each, 'time-jump');
    this.#held.holdFirst(unit);
    this.#cut = {
      leadTrack: unit.trackNumber,
      atUs: unit.presentationTimeUs,
      isKey: true,
      candidates: new Set(this.#tracks.map((track) => track.number)),
      deadlineMs: unit.receivedMonotonicMs + limits.firstTrackWaitMs,
      isWithoutLead: false,
    };
  }

  /** Video that the run was begun without comes back with a key frame of its own. */
  #acceptLeftOutVideo(unit: AccessUnit): void {
    if (this.#cut?.leadTrack === unit.trackNumber) this.#held.hold(unit);
    else if (this.#cut === undefined && unit.isKey) this.#beginCut(unit, { isKey: true, isWithoutLead: false });
    else this.#drop(unit, 'before-key');
  }

  #acceptDuringCut(unit: AccessUnit, cut: Cut, run: Run): void {
    if (cut.isWithoutLead && unit.trackNumber === run.leadTrack) {
      this.#drop(unit, 'track-left-out');
      return;
    }
    const isBefore = unit.trackNumber !== cut.leadTrack && this.#mediaMs(unit) < this.#cutMs(cut);
    if (isBefore && this.#open !== undefined) this.#write(unit);
    else this.#held.hold(unit);
  }

  #acceptOpen(unit: AccessUnit, run: Run, open: OpenFragment): void {
    const mediaMs = this.#mediaMs(unit);
    if (open.isEmpty || (unit.trackNumber !== run.leadTrack && mediaMs <= open.leadLatestMs)) {
      this.#write(unit);
    } else if (unit.trackNumber === run.leadTrack) {
      if (this.#isCutAt(unit, mediaMs, run, open)) {
        this.#beginCut(unit, { isKey: unit.isKey, isWithoutLead: false });
        return;
      }
      this.#write(unit);
      // Units of other tracks that were ahead: the lead has caught up, so they belong to this fragment for certain.
      if (this.#held.length > 0) {
        for (const each of this.#held.take((held) => this.#mediaMs(held) <= open.leadLatestMs)) this.#write(each);
      }
    } else {
      this.#held.hold(unit);
      const isLeadSilent = mediaMs - open.leadLatestMs >= limits.timeHoleMs;
      if (isLeadSilent || this.#held.bytes >= limits.fragmentCutBytes) this.#cutWithoutLead(run, open);
    }
  }

  /** The lead has fallen silent: the fragment ends where it did, or else with all that other tracks have sent since. */
  #cutWithoutLead(run: Run, open: OpenFragment): void {
    const isComplete = isSubset(run.trackNumbers, open.trackNumbers);
    const at = must(isComplete ? this.#held.units[0] : this.#held.units.at(-1), 'a held unit is there');
    if (!isComplete) for (const each of this.#held.take((unit) => unit !== at)) this.#write(each);
    this.#beginCut(this.#takeHeld(at), { isKey: true, isWithoutLead: true });
  }

  #isCutAt(unit: AccessUnit, mediaMs: number, run: Run, open: OpenFragment): boolean {
    // A picture that is shown before another of the open fragment cannot begin the next one.
    if (mediaMs <= open.latestMs) return false;
    if (this.#isLongEnough(unit, (unit.presentationTimeUs - open.beginUs) / 1_000)) return true;
    // Every track of the run has a unit among those that were held at its beginning, so this bound holds within twice itself.
    return open.bytes >= limits.fragmentCutBytes && isSubset(run.trackNumbers, open.trackNumbers);
  }

  #isLongEnough(unit: AccessUnit, durationMs: number): boolean {
    if (durationMs >= limits.fragmentCutMs) return true;
    if (unit.trackNumber !== this.#videoTrack) return durationMs >= limits.audioFragmentMs;
    return unit.isKey && durationMs >= limits.fragmentDurationMsMin;
  }

  #beginCut(unit: AccessUnit, options: { readonly isKey: boolean; readonly isWithoutLead: boolean }): void {
    const run = must(this.#run, 'a cut is inside a run');
    const isBefore = (each: AccessUnit) => this.#mediaMs(each) < this.#mediaMs(unit);
    for (const each of this.#held.take(isBefore)) this.#write(each);
    this.#held.holdFirst(unit);
    const candidates = new Set(run.trackNumbers);
    if (options.isWithoutLead) candidates.delete(run.leadTrack);
    else if (options.isKey) for (const trackNumber of this.#returned) candidates.add(trackNumber);
    candidates.add(unit.trackNumber);
    this.#returned.clear();
    this.#cut = {
      leadTrack: unit.trackNumber,
      atUs: unit.presentationTimeUs,
      isKey: options.isKey,
      candidates,
      deadlineMs: unit.receivedMonotonicMs + limits.trackWaitMs,
      isWithoutLead: options.isWithoutLead,
    };
  }

  /**
   * Closes the open fragment as soon as every awaited track has passed the cut or the wait is over, and begins the next one as
   * soon as it is certain which tracks it will have. A long wait may have seen the fragment after it too.
   */
  #settleCut(nowMs: number, { isEnding }: { readonly isEnding: boolean }): void {
    for (let cut = this.#cut; cut !== undefined; cut = this.#cut) {
      const view = this.#viewOf(cut, { isEnding });
      const passed = tracksPassed(view);
      const isComplete = isSubset(cut.candidates, passed);
      const isOverdue = isEnding || nowMs >= cut.deadlineMs || this.#held.bytes >= limits.fragmentCutBytes;
      if (!isComplete && !isOverdue) return;
      const run = this.#run;
      if (run !== undefined) this.#commit(this.#cutMs(cut));
      const { present, isWhole } = forecast(view);
      const wanted =
        run === undefined ? passed : cut.isWithoutLead ? cut.candidates : new Set([...run.trackNumbers, ...passed]);
      if (!isWhole && !isSubset(wanted, present)) return;
      const isMissing = run !== undefined && !isSubset(run.trackNumbers, present);
      if (isMissing && isEnding && !this.#keepsShortEnd && heldBeyondMs(view) < limits.trackWaitMs) {
        // Not worth a run of its own; the run ends that much earlier.
        this.#cut = undefined;
        this.#dropHeld('run-end');
        return;
      }
      this.#beginFragment(cut, present);
    }
  }

  #viewOf(cut: Cut, { isEnding }: { readonly isEnding: boolean }): CutView {
    return {
      ...{ cut, held: this.#held, isEnding },
      runTracks: this.#run?.trackNumbers,
      isChangeDue: this.#isChangeDue(cut),
      isLongEnough: (unit, durationMs) => this.#isLongEnough(unit, durationMs),
    };
  }

  #isChangeDue(cut: Cut): boolean {
    return cut.isKey && this.#wantedRunChange !== undefined;
  }

  #beginFragment(cut: Cut, present: ReadonlySet<number>): void {
    const first = must(this.#held.units[0], 'the unit of the cut is held first');
    const tracks = this.#tracks.filter((track) => present.has(track.number));
    const run = this.#runFor(cut, tracks, first);
    const beginMs = this.#mediaMs(first);
    this.#cut = undefined;
    this.#open = new OpenFragment({
      beginUs: first.presentationTimeUs,
      beginMs,
      isKey: first.isKey,
      leadTrack: run.leadTrack,
    });
    this.#sink.beginFragment({ mediaTimeMs: beginMs, first });
    for (const unit of this.#held.takeAll()) this.#accept(unit);
  }

  /** The current run, or a new one where the tracks change or something else asked for it. */
  #runFor(cut: Cut, tracks: readonly Track[], first: AccessUnit): Run {
    const current = this.#run;
    const trackNumbers = new Set(tracks.map((track) => track.number));
    if (current !== undefined) {
      const isSame = isSameSet(trackNumbers, current.trackNumbers);
      if (isSame && !this.#isChangeDue(cut)) return current;
      const isMissing = !isSubset(current.trackNumbers, trackNumbers);
      this.#endRun(
        isMissing ? 'track-silent' : isSame ? (this.#wantedRunChange ?? 'tracks-changed') : 'track-returned',
      );
    }
    const leadTrack = tracks.find((track) => track.number === this.#videoTrack)?.number ?? first.trackNumber;
    const holes = must(this.#holes.get(leadTrack), 'the track that leads is one of the session');
    holes.restart();
    const run = { tracks, trackNumbers, leadTrack, offsetUs: first.presentationTimeUs, writtenMs: new Map(), holes };
    this.#run = run;
    this.#sink.beginRun({ tracks, offsetUs: run.offsetUs, first });
    return run;
  }

  #write(unit: AccessUnit): void {
    const open = must(this.#open, 'a unit is written into an open fragment');
    const run = must(this.#run, 'an open fragment is of a run');
    if (!run.trackNumbers.has(unit.trackNumber)) {
      this.#drop(unit, 'track-left-out');
      return;
    }
    const mediaMs = this.#mediaMs(unit);
    if (mediaMs < 0) {
      this.#drop(unit, 'before-run');
      return;
    }
    if (mediaMs < open.beginMs - limits.trackLateMs) {
      this.#drop(unit, 'too-late');
      return;
    }
    const lastMs = run.writtenMs.get(unit.trackNumber);
    if (unit.isAfterLoss) {
      open.addLoss({ beginMs: Math.min(lastMs ?? open.beginMs, mediaMs), endMs: mediaMs, reason: 'packet-loss' });
    }
    open.add(unit, mediaMs);
    if (unit.trackNumber === run.leadTrack) run.holes.note(mediaMs, unit.bytes);
    run.writtenMs.set(unit.trackNumber, Math.max(lastMs ?? mediaMs, mediaMs));
    this.#sink.block(unit.trackNumber, mediaMs - open.beginMs, unit.isKey, unit.bytes);
  }

  /** @param nextMs  where the next fragment begins, or undefined at the run's end */
  #commit(nextMs: number | undefined): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    for (const hole of must(this.#run, 'an open fragment is of a run').holes.take()) open.addHole(hole);
    const end = open.end(nextMs, (trackNumber) => {
      const next = this.#held.units.find((unit) => unit.trackNumber === trackNumber);
      return {
        nextMs: next === undefined ? undefined : this.#mediaMs(next),
        intervalMs: this.#times.of(trackNumber).intervalMs,
      };
    });
    this.#sink.commitFragment(end);
  }

  #endRun(reason: RunEndReason): void {
    if (this.#run === undefined) return;
    this.#run = undefined;
    this.#wantedRunChange = undefined;
    this.#sink.endRun(reason);
  }

  #dropHeld(reason: DropReason): void {
    for (const unit of this.#held.takeAll()) this.#drop(unit, reason);
    this.#held.settle();
  }

  #drop(unit: AccessUnit, reason: DropReason): void {
    const open = this.#open;
    if (open !== undefined && (reason === 'too-late' || reason === 'time-jump' || reason === 'bad-size')) {
      const atMs = Math.min(Math.max(this.#mediaMs(unit), open.beginMs), Math.max(open.latestMs, open.beginMs));
      open.addLoss({ beginMs: atMs, endMs: atMs + 1, reason: reason === 'bad-size' ? 'source-error' : 'time-jump' });
    }
    this.#sink.dropped(unit, reason);
  }

  #mediaMs(unit: AccessUnit): number {
    return this.#toMediaMs(unit.presentationTimeUs);
  }

  #cutMs(cut: Cut): number {
    return this.#toMediaMs(cut.atUs);
  }

  /** Rounded from the session's time at once, never from another rounded one; the sum keeps a negative zero out. */
  #toMediaMs(sessionUs: number): number {
    return Math.round((sessionUs - must(this.#run, 'media time is of a run').offsetUs) / 1_000) + 0;
  }
}
