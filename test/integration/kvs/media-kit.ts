/**
 * A running `serve` whose streams are recorded by the test itself through the one door of the journal, with exact numbers and times,
 * and clients for media. Hints come as from a recording process.
 */

import { Agent } from 'node:https';
import { join } from 'node:path';
import {
  GetMediaForFragmentListCommand,
  KinesisVideoArchivedMediaClient,
} from '@aws-sdk/client-kinesis-video-archived-media';
import { GetMediaCommand, type GetMediaInput, KinesisVideoMediaClient } from '@aws-sdk/client-kinesis-video-media';
import { onTestFinished } from 'vitest';
import { type MediaReaders, mediaReaders } from '../../../gateway/kvs/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { createLog } from '../../../storage/base/log.ts';
import { IndexReader } from '../../../storage/index/index.ts';
import { ByteBudget, readSegment, SegmentWriter } from '../../../storage/journal/index.ts';
import { LaneClient } from '../../../storage/lane/index.ts';
import { g711Track } from '../../../storage/media/index.ts';
import { type FragmentNumber, fragmentNumber } from '../../../storage/model/fragment-number.ts';
import type { Hint } from '../../../storage/model/hint.ts';
import { pathsUnder } from '../../../storage/model/paths.ts';
import { StreamReader } from '../../../storage/reader/index.ts';
import { type KvsDocument, wholeDocuments } from '../../kit/kvs-documents.ts';
import { someRunId } from '../../kit/segments.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import type { SiteOptions } from '../admin/kit.ts';
import { everything, type Statement, startKvsSite } from './kit.ts';

export const fragmentMs = 2_000;

export type RecordedFragment = {
  readonly number: FragmentNumber;
  readonly serverTimestampMs: number;
  readonly producerTimestampMs: number;
  /** What its cluster's one frame holds. */
  readonly payload: Buffer;
};

export type RunOptions = {
  readonly streamId: string;
  /** Server time of its first fragment. */
  readonly beginMs: number;
  readonly firstCounter: number;
  readonly producerOffsetMs?: number;
  readonly isImported?: boolean;
  readonly producerHead?: Uint8Array;
  readonly payloadBytes?: number;
};

export type MediaSiteOptions = SiteOptions & {
  readonly statements?: readonly Statement[];
};

export async function startMediaSite({ statements = [everything], ...options }: MediaSiteOptions = {}) {
  const data = await temporaryDirectory();
  const paths = pathsUnder(data);
  const lines: string[] = [];
  const log = createLog({ level: 'debug', destination: { write: (line) => lines.push(line) } });
  const deps = { clock: systemClock, log };
  const watcher = new LaneClient(deps, { path: join(paths.run, 'ingest-0.sock'), name: 'media' });
  const index = new IndexReader(deps, { path: paths.index });
  const reader = new StreamReader({ ...deps, paths, index, watcher });
  const counted = new Map<string, number>();
  const meter = {
    add: (metric: string, stream: string, value: number) =>
      counted.set(`${metric} ${stream}`, (counted.get(`${metric} ${stream}`) ?? 0) + value),
  };
  const { kvsQuotaFactor: quotaFactor = 20 } = options;
  const media: MediaReaders = mediaReaders({ ...deps, source: reader, meter }, { quotaFactor });
  const kvsMedia = new Map([...media.operations, ...(options.kvsMedia ?? [])]);
  const kvs = await startKvsSite(statements, { ...options, data, kvsMedia, onPlan: () => media.streamsChanged() });
  await index.start();
  watcher.start();
  await reader.start();
  await until('hints are heard', () => reader.missing().hints === undefined);
  onTestFinished(async () => {
    await media.close();
    await reader.close();
    await watcher.close();
    await index.close();
  });

  const { cameras } = (await kvs.admin.get('/api/cameras')).json as {
    cameras: { id: string; streams: { id: string; name: string }[] }[];
  };
  const [front, yard] = cameras.map((camera) => ({ cameraId: camera.id, ...camera.streams[0] }));
  if (front?.id === undefined || yard?.id === undefined) throw new Error('the site has two cameras');
  const streams = {
    front: { id: front.id, name: front.name ?? '', cameraId: front.cameraId },
    yard: { id: yard.id, name: yard.name ?? '', cameraId: yard.cameraId },
  };

  const clientOptions = (credentials = kvs.credentials) => ({
    endpoint: kvs.endpoint,
    region: 'eu-central-1',
    credentials,
    maxAttempts: 1,
    requestHandler: { httpsAgent: new Agent({ ca: kvs.site.ca, maxSockets: 100 }) },
  });
  const mediaClient = (credentials?: typeof kvs.credentials) => {
    const client = new KinesisVideoMediaClient(clientOptions(credentials));
    onTestFinished(() => client.destroy());
    return client;
  };
  const archiveClient = (credentials?: typeof kvs.credentials) => {
    const client = new KinesisVideoArchivedMediaClient(clientOptions(credentials));
    onTestFinished(() => client.destroy());
    return client;
  };

  return {
    ...kvs,
    paths,
    lines,
    reader,
    media,
    counted,
    streams,
    mediaClient,
    archiveClient,
    /** Begins a run; its fragments are committed one by one. */
    beginRun: (run: RunOptions) => beginRun({ paths, tellHint: kvs.site.tellHint }, run),
    /** What a keeper does with finished files first: from then on the index tells of them. */
    takeIn: async (finishedPaths: readonly string[]) => {
      for (const path of finishedPaths) {
        const segment = await readSegment(path);
        const takenIn = { location: 'local', takenInMs: systemClock.wallMs() } as const;
        kvs.site.writer.transaction(({ segments }) => segments.insert(segment, takenIn));
      }
    },
    /** Opens GetMedia by the SDK and reads along. */
    getMedia: (input: GetMediaInput) => openMedia(mediaClient(), input),
    mediaOf: async (StreamName: string, Fragments: readonly string[]) => {
      const command = new GetMediaForFragmentListCommand({ StreamName, Fragments: [...Fragments] });
      const { Payload, ContentType } = await archiveClient().send(command);
      return { contentType: ContentType, bytes: await bytesOf(Payload) };
    },
  };
}

/** A body that is read while it comes. */
export type OpenMedia = {
  readonly contentType: string | undefined;
  readonly bytes: () => Buffer;
  readonly documents: () => KvsDocument[];
  readonly isEnded: () => boolean;
  /** Waits until so many whole documents are there. */
  readonly until: (count: number) => Promise<KvsDocument[]>;
  readonly untilEnd: () => Promise<Buffer>;
  readonly close: () => void;
};

type Readable = AsyncIterable<Uint8Array> & { destroy(): unknown };

export async function openMedia(client: KinesisVideoMediaClient, input: GetMediaInput): Promise<OpenMedia> {
  const { Payload, ContentType } = await client.send(new GetMediaCommand(input));
  const body = Payload as unknown as Readable;
  const chunks: Uint8Array[] = [];
  const parsed: KvsDocument[] = [];
  let rest = { bytes: Buffer.alloc(0), chunks: 0 };
  let isEnded = false;
  const reading = (async () => {
    for await (const chunk of body) chunks.push(chunk);
  })()
    .catch(() => {})
    .finally(() => {
      isEnded = true;
    });
  onTestFinished(() => {
    body.destroy();
  });
  const bytes = () => Buffer.concat(chunks);
  const documents = () => {
    if (rest.chunks === chunks.length) return parsed;
    const unread = Buffer.concat([rest.bytes, ...chunks.slice(rest.chunks)]);
    const { documents: whole, end } = wholeDocuments(unread);
    parsed.push(...whole);
    rest = { bytes: unread.subarray(end), chunks: chunks.length };
    return parsed;
  };
  return {
    contentType: ContentType,
    bytes,
    documents,
    isEnded: () => isEnded,
    until: (count) =>
      until(`${count} fragments came`, () => {
        const found = documents();
        return found.length >= count ? [...found] : undefined;
      }),
    untilEnd: async () => {
      await until('the body ended', () => isEnded);
      await reading;
      return bytes();
    },
    close: () => {
      body.destroy();
    },
  };
}

export async function bytesOf(payload: unknown): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of payload as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function beginRun(
  { paths, tellHint }: { paths: ReturnType<typeof pathsUnder>; tellHint: (hint: Hint) => void },
  run: RunOptions,
) {
  const { streamId, beginMs, firstCounter, producerOffsetMs = 0, isImported = false, payloadBytes = 800 } = run;
  const hints: Hint[] = [];
  const writer = new SegmentWriter(
    {
      clock: systemClock,
      log: createLog({ level: 'error', destination: { write: () => {} } }),
      budget: new ByteBudget(512 * 1024 * 1024),
      durability: { synced: () => Promise.resolve() },
      onHint: (hint) => {
        hints.push(hint);
        tellHint(hint);
      },
      onFailed: (error) => {
        throw error;
      },
    },
    {
      openDirectory: join(paths.journalOpen, 'ingest-0.1'),
      finishedDirectory: paths.journalFinished,
      streamId,
      runId: someRunId(`${streamId} ${firstCounter}`),
      runReason: isImported ? 'import' : 'connecting',
      runStartServerMs: beginMs,
      tracks: [g711Track(1, { law: 'pcmu', samplingFrequencyHz: 8_000, channels: 1 })],
      timecodeScaleNs: 1_000_000,
      segmentOffsetMs: 0,
      durability: 'shared',
      ...(run.producerHead === undefined ? {} : { producerHead: run.producerHead }),
    },
  );
  await writer.start();
  let next = 0;
  const commit = async (
    options: {
      readonly tags?: readonly { readonly name: string; readonly value: string }[];
      readonly skipMs?: number;
    } = {},
  ): Promise<RecordedFragment> => {
    const mediaTimeMs = next * fragmentMs;
    const counter = firstCounter + next++;
    const serverTimestampMs = beginMs + mediaTimeMs;
    const producerTimestampMs = serverTimestampMs + producerOffsetMs;
    const number = fragmentNumber(counter, serverTimestampMs, counter);
    const payload = Buffer.alloc(payloadBytes, `fragment ${counter} `);
    writer.begin({ number, counter, serverTimestampMs, producerTimestampMs, mediaTimeMs });
    writer.writeBlock(1, 0, true, payload);
    const span = { beginMediaMs: mediaTimeMs, endMediaMs: mediaTimeMs + fragmentMs };
    const track = { trackNumber: 1, samples: 1, payloadBytes, ...span };
    writer.commit({ durationMs: fragmentMs, isKey: true, hasLoss: false, tracks: [track], tags: options.tags ?? [] });
    await until('the fragment is in its file', () =>
      hints.some((hint) => hint.kind === 'committed' && hint.fragment.number === number),
    );
    return { number, serverTimestampMs, producerTimestampMs, payload };
  };
  return {
    commit,
    /** Several, one after the other. */
    commitAll: async (count: number) => {
      const fragments: RecordedFragment[] = [];
      for (let i = 0; i < count; i++) fragments.push(await commit());
      return fragments;
    },
    /** Where its first fragment's file lies while it is open. */
    path: () => hints.flatMap((hint) => (hint.kind === 'begun' ? [hint.path] : []))[0] ?? '',
    finishedPaths: () => hints.flatMap((hint) => (hint.kind === 'finished' ? [hint.finishedPath] : [])),
    end: () => writer.end('source-closed'),
  };
}
