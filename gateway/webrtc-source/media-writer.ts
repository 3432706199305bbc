/**
 * What a source tells, as bytes for the owner of its stream: sessions, units and facts become one Matroska stream. Pure; each call gives
 * the bytes that follow those of the call before, in a new buffer of the caller's.
 *
 *   head | Cluster( SimpleBlock* ) | Tags( fact ) | Cluster( SimpleBlock* ) ...
 *
 * A cluster begins with each key frame, and after facts; its time is the session's, which begins anew with a session.
 */

import { assert } from '../../storage/base/assert.ts';
import {
  clusterHead,
  clusterHeadBytes,
  type MatroskaTag,
  matroskaHead,
  simpleBlockHeadBytesMax,
  tagsElement,
  writeSimpleBlockHead,
} from '../../storage/media/index.ts';
import type { AccessUnit } from '../../storage/model/access-unit.ts';
import type { Track } from '../../storage/model/track.ts';
import type { SessionReason } from '../rtsp/index.ts';
import { whipLimits } from './limits.ts';
import { factTag, tracksTag, type WhipFact } from './messages.ts';

const timecodeScaleNs = 1_000_000;
/** Nobody looks for a file by it. */
const segmentUid = new Uint8Array(16);
const nothing = new Uint8Array(0);
/** The sender's clock is estimated anew with each report: what changes by less is told to nobody. */
const producerStepMs = 1;

type Cluster = { readonly timecodeMs: number; byteLength: number };

export class MediaWriter {
  #videoTrack: number | undefined;
  #hasHead = false;
  #cluster: Cluster | undefined;
  /** Told with the next unit, by what they are about: a newer one takes the place of an older. */
  readonly #facts = new Map<string, WhipFact>();
  /** Tracks with a loss that was told since their last unit. */
  readonly #lossTold = new Set<number>();
  #zeroMs: number | undefined;
  #warnings = 0;

  /** A session with these tracks begins. */
  session(tracks: readonly Track[], reason: SessionReason): Uint8Array {
    const head = matroskaHead({ segmentUid, tracks, timecodeScaleNs });
    this.#videoTrack = tracks.find((track) => track.kind === 'video')?.number;
    this.#lossTold.clear();
    this.#zeroMs = undefined;
    if (!this.#hasHead) {
      this.#hasHead = true;
      return head;
    }
    this.#cluster = undefined;
    const fact: WhipFact = { kind: 'session', reason };
    return joined([this.#takeFacts(), tagsElement([tagOf(fact), { name: tracksTag, value: head }])]);
  }

  /** @param unit  borrowed until return */
  unit(unit: AccessUnit): Uint8Array {
    assert(this.#hasHead, 'a session begins before its units');
    const { trackNumber, presentationTimeUs, isAfterLoss } = unit;
    if (isAfterLoss && !this.#lossTold.has(trackNumber)) this.loss({ trackNumber, packets: 0 });
    this.#lossTold.delete(trackNumber);
    this.#noteProducerTime(unit);
    const facts = this.#takeFacts();
    const timeMs = Math.round(presentationTimeUs / 1_000);
    const isCut = this.#cluster === undefined || this.#isCutAt(unit, timeMs, this.#cluster);
    // A cluster's time is none below 0, and a block may lie before it.
    const cluster =
      isCut || this.#cluster === undefined ? { timecodeMs: Math.max(0, timeMs), byteLength: 0 } : this.#cluster;
    this.#cluster = cluster;
    const target = new Uint8Array(facts.length + clusterHeadBytes + simpleBlockHeadBytesMax + unit.bytes.length);
    target.set(facts);
    let end = facts.length;
    if (isCut) {
      target.set(clusterHead(cluster.timecodeMs), end);
      end += clusterHeadBytes;
    }
    end += writeSimpleBlockHead(target, end, {
      ...{ trackNumber, relativeMs: timeMs - cluster.timecodeMs, payloadBytes: unit.bytes.length },
      isKey: unit.isKey,
    });
    target.set(unit.bytes, end);
    end += unit.bytes.length;
    cluster.byteLength += end - facts.length;
    return target.subarray(0, end);
  }

  loss({ trackNumber, packets }: { readonly trackNumber: number; readonly packets: number }): void {
    const about = `loss ${trackNumber}`;
    const before = this.#facts.get(about);
    const sum = packets + (before?.kind === 'loss' ? before.packets : 0);
    this.#facts.set(about, { kind: 'loss', trackNumber, packets: sum });
    this.#lossTold.add(trackNumber);
  }

  clock({ offsetMs, driftPpm }: { readonly offsetMs: number; readonly driftPpm: number | undefined }): void {
    this.#facts.set('clock', { kind: 'clock', offsetMs, driftPpm: driftPpm ?? null });
  }

  warning(text: string): void {
    if (this.#warnings >= whipLimits.warningsMax) return;
    this.#warnings++;
    this.#facts.set(`warning ${this.#warnings}`, {
      kind: 'warning',
      text: text.slice(0, whipLimits.warningCharactersMax),
    });
  }

  #isCutAt({ trackNumber, isKey }: AccessUnit, timeMs: number, cluster: Cluster): boolean {
    if (isKey && trackNumber === this.#videoTrack) return true;
    const isFar = Math.abs(timeMs - cluster.timecodeMs) > whipLimits.clusterMsMax;
    return isFar || cluster.byteLength > whipLimits.clusterBytesMax;
  }

  /** With a key frame, or as soon as it is known at all. */
  #noteProducerTime({ trackNumber, isKey, presentationTimeUs, producerTimestampMs }: AccessUnit): void {
    if (producerTimestampMs === undefined) return;
    const zeroMs = producerTimestampMs - presentationTimeUs / 1_000;
    const isLead = this.#videoTrack === undefined || trackNumber === this.#videoTrack;
    if (!isLead || (this.#zeroMs !== undefined && !isKey)) return;
    if (this.#zeroMs !== undefined && Math.abs(zeroMs - this.#zeroMs) < producerStepMs) return;
    this.#zeroMs = zeroMs;
    this.#facts.set('producer-time', { kind: 'producer-time', zeroMs });
  }

  #takeFacts(): Uint8Array {
    if (this.#facts.size === 0) return nothing;
    const tags = [...this.#facts.values()].map(tagOf);
    this.#facts.clear();
    this.#cluster = undefined;
    return tagsElement(tags);
  }
}

function tagOf(fact: WhipFact): MatroskaTag {
  return { name: factTag, value: JSON.stringify(fact) };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
