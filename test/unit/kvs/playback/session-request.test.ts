import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isAppError } from '../../../../storage/base/errors.ts';
import { player, RowStream, seconds, startMs } from './sessions.ts';

const nowMs = startMs + 3_600_000;

function site() {
  const stream = new RowStream();
  stream.run({ atMs: startMs, count: 5 });
  return player(stream);
}

const day = 86_400;

test.each([
  ['a range for what is live', { PlaybackMode: 'LIVE', HLSFragmentSelector: seconds(0, 60) }],
  ['no range for what was recorded', { PlaybackMode: 'ON_DEMAND' }],
  [
    'no range for a replay',
    { PlaybackMode: 'LIVE_REPLAY', HLSFragmentSelector: { FragmentSelectorType: 'SERVER_TIMESTAMP' } },
  ],
  ['no end for what was recorded', { PlaybackMode: 'ON_DEMAND', HLSFragmentSelector: seconds(0, undefined) }],
  ['an end at the beginning', { PlaybackMode: 'ON_DEMAND', HLSFragmentSelector: seconds(5, 5) }],
  ['an end before the beginning', { PlaybackMode: 'LIVE_REPLAY', HLSFragmentSelector: seconds(5, 4) }],
  ['more than a day', { PlaybackMode: 'ON_DEMAND', HLSFragmentSelector: seconds(-day, 0.5, 'PRODUCER_TIMESTAMP') }],
  ['an end to come, by server times', { PlaybackMode: 'ON_DEMAND', HLSFragmentSelector: seconds(0, 3_601) }],
  ['a mode that is none', { PlaybackMode: 'live' }],
  ['a container that is none', { ContainerFormat: 'WEBM' }],
  ['marks that are none', { DiscontinuityMode: 'SOMETIMES' }],
  ['a life that is too short', { Expires: 299 }],
  ['a life that is too long', { Expires: 43_201 }],
  ['no fragments', { MaxMediaPlaylistFragmentResults: 0 }],
  ['too many fragments', { MaxMediaPlaylistFragmentResults: 5_001 }],
])('(79, 80) a session is not given out for %s', async (_, input) => {
  await expect(site().hls(input, nowMs)).rejects.toMatchObject({ context: { awsName: 'InvalidArgumentException' } });
});

test('(79, 80) sessions are given out at the bounds', async () => {
  const { hls, dash } = site();
  const range = seconds(-day + 5, 5, 'PRODUCER_TIMESTAMP');

  for (const options of [{ Expires: 300 }, { Expires: 43_200 }]) {
    await hls({ PlaybackMode: 'ON_DEMAND', HLSFragmentSelector: range, ...options }, nowMs);
    await dash(
      { PlaybackMode: 'ON_DEMAND', DASHFragmentSelector: range, MaxManifestFragmentResults: 5_000, ...options },
      nowMs,
    );
  }
  await hls({ PlaybackMode: 'LIVE_REPLAY', HLSFragmentSelector: seconds(0, 3_600) }, nowMs);
});

test('whatever is asked for is either given out or refused as an argument', async () => {
  const { hls, dash } = site();
  const value = fc.oneof(
    fc.constantFrom('LIVE', 'ON_DEMAND', 'ALWAYS', null, 0, 300, 1e308, {}),
    fc.jsonValue({ maxDepth: 2 }),
  );
  const input = fc.record(
    {
      PlaybackMode: value,
      HLSFragmentSelector: fc.oneof(
        value,
        fc.record(
          {
            FragmentSelectorType: value,
            TimestampRange: fc.oneof(value, fc.record({ StartTimestamp: value, EndTimestamp: value })),
          },
          { requiredKeys: [] },
        ),
      ),
      DASHFragmentSelector: value,
      ContainerFormat: value,
      Expires: value,
      MaxMediaPlaylistFragmentResults: value,
    },
    { requiredKeys: [] },
  );

  await fc.assert(
    fc.asyncProperty(input, async (asked) => {
      for (const open of [hls, dash]) {
        try {
          await open(asked, nowMs);
        } catch (error) {
          const name = isAppError(error) ? error.context.awsName : error;
          expect(['InvalidArgumentException', 'ResourceNotFoundException']).toContain(name);
        }
      }
    }),
  );
});
