/** GetImages: pictures of a stream at regular moments, some of them in one answer. */

import { isAppError } from '../../../storage/base/errors.ts';
import {
  type FragmentPictures,
  isDiscontinuity,
  type PictureForm,
  type PlayableFragment,
} from '../../playback/index.ts';
import { type KvsCall, type KvsInput, type KvsOperations, requireStream } from '../call.ts';
import { awsError } from '../errors.ts';
import { integerMember, required, structureMember, textMember, timeMember } from '../members.ts';
import { retentionFloorMs } from '../streams.ts';
import { absenceSentence } from './absence.ts';
import type { TimeAxis } from './session.ts';
import { axisTime } from './session-entry.ts';
import { keyMember, timeAxes } from './session-request.ts';
import type { Meter, SessionSource } from './source.ts';
import { requireRetention } from './streaming-session.ts';

export type ImageDeps = {
  readonly source: SessionSource;
  readonly pictures: Pick<FragmentPictures, 'pictures'>;
  readonly meter: Meter;
};

type ImagesWanted = {
  readonly axis: TimeAxis;
  readonly beginMs: number;
  readonly endMs: number;
  readonly intervalMs: number;
  readonly form: PictureForm;
  /** Images in one answer. */
  readonly pageImages: number;
  /** Number of its first image. */
  readonly first: number;
};

/** One image of an answer, as AWS spells it. */
type Image = {
  readonly TimeStamp: number;
  readonly Error?: 'NO_MEDIA' | 'MEDIA_ERROR';
  readonly ImageContent?: string;
};

/** A moment and the fragment that holds it; with what its decoding needs, the first of which begins with a key frame. */
type Sample = { readonly atMs: number; readonly references: readonly PlayableFragment[] };

const action = 'kinesisvideo:GetImages';
const spanMsMax = 300_000;
const pageImagesMax = 25;
/** AWS: six megabytes of base64 for one, and a hundred for all. */
const imageCharactersMax = 6 * 1024 * 1024;
const answerCharactersMax = 100_000_000;
/** A GOP may span several fragments. */
const lookBackMs = 120_000;

export function imageOperations(deps: ImageDeps): KvsOperations {
  return new Map([['/getImages', { action, run: (call) => getImages(deps, call) }]]);
}

async function getImages(deps: ImageDeps, call: KvsCall): Promise<object> {
  const wanted = wantedOf(call.input);
  const stream = requireStream(call, action);
  requireRetention(stream);
  const floorMs = retentionFloorMs(stream, call.nowMs);
  const count = Math.max(1, Math.ceil((wanted.endMs - wanted.beginMs) / wanted.intervalMs));
  const moments = Array.from({ length: Math.max(0, Math.min(wanted.pageImages, count - wanted.first)) }, (_, at) =>
    Math.round(wanted.beginMs + (wanted.first + at) * wanted.intervalMs),
  );
  const found = await deps.source.fragmentsByTime(stream.id, {
    axis: wanted.axis,
    beginMs: wanted.beginMs - lookBackMs,
    endMs: wanted.endMs + 1,
    isWanted: ({ serverTimestampMs }) => serverTimestampMs >= floorMs,
    limit: (spanMsMax + lookBackMs) / 100,
  });
  const isAny = found.some((one) => axisTime(one, wanted.axis) + one.fragment.durationMs > wanted.beginMs);
  if (!isAny) {
    const why = absenceSentence(deps.source, { ...wanted, streamId: stream.id });
    throw nothingThere(wanted, { oldestMs: Math.max(floorMs, stream.createdMs), why });
  }
  const images = await imagesOf(deps, call, { moments, found, wanted });
  const next = wanted.first + images.length;
  deps.meter.add('ArchivedFragmentsConsumed.Media', stream.name, images.length);
  return { Images: images, ...(next < count ? { NextToken: tokenOf(next) } : {}) };
}

/** Fewer than asked for where they would be too much for one answer. */
async function imagesOf(
  { pictures }: ImageDeps,
  { signal }: KvsCall,
  {
    moments,
    found,
    wanted,
  }: {
    readonly moments: readonly number[];
    readonly found: readonly PlayableFragment[];
    readonly wanted: ImagesWanted;
  },
): Promise<readonly Image[]> {
  const samples = moments.map((atMs): Sample => ({ atMs, references: holding(found, atMs, wanted.axis) }));
  const images: Image[] = [];
  let characters = 0;
  for (let at = 0; at < samples.length && characters < answerCharactersMax - imageCharactersMax; ) {
    const reference = samples[at]?.references.at(-1);
    const others = samples.slice(at).findIndex((sample) => sample.references.at(-1) !== reference);
    const group = samples.slice(at, others < 0 ? undefined : at + others);
    at += group.length;
    if (reference === undefined) {
      images.push(...group.map(({ atMs }): Image => ({ TimeStamp: atMs / 1000, Error: 'NO_MEDIA' })));
      continue;
    }
    const beginMs = axisTime(reference, wanted.axis);
    const references = group[0]?.references ?? [];
    const isDecodable = references[0]?.fragment.isKey === true;
    const made = await told(async () =>
      isDecodable
        ? pictures.pictures(references, { ...wanted.form, momentsMs: group.map(({ atMs }) => atMs - beginMs), signal })
        : [],
    );
    group.forEach(({ atMs }, index) => {
      const content = Buffer.from(made[index] ?? []).toString('base64');
      const isGood = content !== '' && content.length <= imageCharactersMax;
      if (isGood) characters += content.length;
      images.push({ TimeStamp: atMs / 1000, ...(isGood ? { ImageContent: content } : { Error: 'MEDIA_ERROR' }) });
    });
  }
  return images;
}

/** The fragment that holds a moment, behind those from its key frame on; empty where nothing was recorded. */
function holding(found: readonly PlayableFragment[], atMs: number, axis: TimeAxis): readonly PlayableFragment[] {
  const at = found.findLastIndex((one) => axisTime(one, axis) <= atMs);
  const holder = found[at];
  if (holder === undefined || axisTime(holder, axis) + holder.fragment.durationMs <= atMs) return [];
  let first = at;
  while (found[first]?.fragment.isKey === false) {
    const before = found[first - 1];
    const own = found[first];
    // Without its key frame it cannot be decoded, which is told as such.
    if (before === undefined || own === undefined || isDiscontinuity(before, own)) break;
    first--;
  }
  return found.slice(first, at + 1);
}

function wantedOf(input: KvsInput): ImagesWanted {
  const axis = required(keyMember(input, 'ImageSelectorType', timeAxes), 'ImageSelectorType');
  const beginMs = required(timeMember(input, 'StartTimestamp'), 'StartTimestamp');
  const endMs = required(timeMember(input, 'EndTimestamp'), 'EndTimestamp');
  if (endMs < beginMs) throw invalid('EndTimestamp must not be before StartTimestamp');
  if (endMs - beginMs > spanMsMax) throw invalid('StartTimestamp and EndTimestamp must be within 300 seconds');
  const format = required(keyMember(input, 'Format', { JPEG: 'jpeg', PNG: 'png' }), 'Format');
  return {
    ...{ axis, beginMs, endMs },
    intervalMs: integerMember(input, 'SamplingInterval', { min: 200, max: 20_000_000 }) ?? 3_000,
    form: {
      format,
      quality: qualityOf(input, format),
      widthPixels: integerMember(input, 'WidthPixels', { min: 1, max: 3_840 }),
      heightPixels: integerMember(input, 'HeightPixels', { min: 1, max: 2_160 }),
    },
    pageImages: Math.min(integerMember(input, 'MaxResults', { min: 1, max: 100 }) ?? pageImagesMax, pageImagesMax),
    first: firstOf(textMember(input, 'NextToken', /^[a-zA-Z0-9+/]{1,4096}={0,2}$/)),
  };
}

function qualityOf(input: KvsInput, format: 'jpeg' | 'png'): number | undefined {
  const config = structureMember(input, 'FormatConfig');
  if (config === undefined) return undefined;
  const [[key, value] = ['', ''], ...rest] = Object.entries(config);
  const quality = typeof value === 'string' && /^\d{1,3}$/.test(value) ? Number(value) : 0;
  if (key !== 'JPEGQuality' || rest.length > 0 || format !== 'jpeg' || quality < 1 || quality > 100) {
    throw invalid('FormatConfig must have the one entry JPEGQuality from 1 to 100, for Format JPEG');
  }
  return quality;
}

const tokenPrefix = 'image ';

function tokenOf(next: number): string {
  return Buffer.from(`${tokenPrefix}${next}`).toString('base64');
}

function firstOf(token: string | undefined): number {
  if (token === undefined) return 0;
  const [, number] = /^image (\d{1,6})$/.exec(Buffer.from(token, 'base64').toString('latin1')) ?? [];
  if (number === undefined) throw invalid('NextToken is not one of ours');
  return Number(number);
}

async function told<T>(make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    if (!isAppError(error, 'failed_precondition')) throw error;
    throw awsError('ServiceUnavailableException', error.message, { cause: error });
  }
}

function nothingThere(
  { axis, endMs }: ImagesWanted,
  { oldestMs, why }: { readonly oldestMs: number; readonly why: string },
) {
  if (axis === 'server' && endMs < oldestMs) {
    const end = new Date(endMs).toISOString();
    return invalid(`End timestamp ${end} is outside of the stream retention period`);
  }
  return awsError('ResourceNotFoundException', `No fragments found in the stream for the images request.${why}`);
}

function invalid(message: string) {
  return awsError('InvalidArgumentException', message);
}
