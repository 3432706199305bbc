/** Which worker a peer goes to. */

import { describe, expect, it } from 'vitest';
import { mediaPlaneLimits } from '../../../gateway/webrtc/media-plane/limits.ts';
import { placeOf } from '../../../gateway/webrtc/media-plane/placing.ts';

const { peersAheadMax, peersPerWorkerMax, recordedPerWorkerMax } = mediaPlaneLimits;

function worker(name: string, peers: number, ...keys: string[]) {
  return { name, peers, hasPeerOf: (key: string) => keys.includes(key) };
}

describe('a peer', () => {
  it('goes to the worker with the fewest peers', () => {
    expect(placeOf([worker('a', 3), worker('b', 1), worker('c', 2)], 'gate').name).toBe('b');
  });

  it('goes where its stream is already, although others have fewer peers', () => {
    expect(placeOf([worker('a', 0), worker('b', peersAheadMax, 'gate')], 'gate').name).toBe('b');
  });

  it('goes elsewhere once that one is too far ahead of the emptiest', () => {
    expect(placeOf([worker('a', 0), worker('b', peersAheadMax + 1, 'gate')], 'gate').name).toBe('a');
  });

  it('finds the room that one worker still has, not the stream that a full one has', () => {
    const full = worker('a', peersPerWorkerMax, 'gate');

    expect(placeOf([full, worker('b', peersPerWorkerMax - 1)], 'gate').name).toBe('b');
  });

  it('whose media is recorded finds room where viewers find none', () => {
    const recorded = { isRecorded: true };

    expect(placeOf([worker('a', peersPerWorkerMax)], 'gate', recorded).name).toBe('a');
    expect(() => placeOf([worker('a', peersPerWorkerMax + recordedPerWorkerMax)], 'gate', recorded)).toThrow(
      expect.objectContaining({ code: 'resource_exhausted' }),
    );
  });

  it('is refused with what to do when all are full', () => {
    const refused = () => placeOf([worker('a', peersPerWorkerMax), worker('b', peersPerWorkerMax)], 'gate');

    expect(refused).toThrow(
      expect.objectContaining({ code: 'resource_exhausted', hint: expect.stringContaining('webrtc.workers') }),
    );
  });
});
