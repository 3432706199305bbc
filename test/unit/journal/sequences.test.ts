import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readSegment, scanSegment, verifySegment } from '../../../storage/journal/index.ts';
import { limits } from '../../../storage/model/limits.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { begin, facts, startWriter, writeBlocks } from './kit.ts';

/** What happens to one fragment after it was begun. */
const step = fc.record({
  sizes: fc.array(fc.oneof({ weight: 5, arbitrary: fc.nat(3_000) }, fc.constantFrom(131_071, 131_072, 700_000)), {
    minLength: 1,
    maxLength: 4,
  }),
  isAborted: fc.boolean(),
  /** Bytes may be on their way, in the file, or still pending when the next call comes. */
  turns: fc.nat(3),
  /** Counters may be left out, and time with them. */
  skip: fc.constantFrom(0, 0, 0, 1, 40),
});

test('whatever is written, aborted and rolled: hints, scan and table tell the same fragments', {
  timeout: 120_000,
}, async () => {
  const root = await temporaryDirectory();
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 12 }),
      fc.nat(59_999),
      async (steps, segmentOffsetMs) => {
        const runId = String(++runs).padStart(32, '0');
        const { writer, hints, finished, failures, budget } = await startWriter(`${root}/${runs}`, {
          runId,
          segmentOffsetMs,
        });
        let counter = 0;
        const expected: number[] = [];
        for (const { sizes, isAborted, turns, skip } of steps) {
          counter += 1 + skip;
          begin(writer, counter);
          writeBlocks(writer, counter, sizes);
          for (let i = 0; i < turns; i++) await new Promise(setImmediate);
          if (isAborted) writer.abort();
          else {
            writer.commit(facts(counter, sizes));
            expected.push((counter - 1) * 2_000);
          }
        }
        await writer.end('shutdown');

        const committed = hints.flatMap((hint) => (hint.kind === 'committed' ? [hint.fragment] : []));
        const segments = await Promise.all(finished().map(readSegment));
        const scans = await Promise.all(finished().map((path) => scanSegment(path)));
        expect(committed.map((fragment) => fragment.mediaTimeMs)).toEqual(expected);
        expect(segments.flatMap((segment) => segment.fragments)).toEqual(committed);
        expect(scans.flatMap((scan) => scan.fragments)).toEqual(committed);
        for (const [index, segment] of segments.entries()) {
          const { fragments, sequence, previousDigest } = segment;
          const times = fragments.map((fragment) => fragment.serverTimestampMs);
          expect(Math.max(...times) - Math.min(...times)).toBeLessThan(limits.segmentDurationMs);
          expect(sequence).toBe(index);
          expect(previousDigest).toEqual(segments[index - 1]?.digest ?? new Uint8Array(32));
        }
        for (const path of finished()) expect(await verifySegment(path)).toEqual({ damaged: [], isDigestWrong: false });
        expect([failures, budget.used]).toEqual([[], 0]);
      },
    ),
    { numRuns: 60 },
  );
});
