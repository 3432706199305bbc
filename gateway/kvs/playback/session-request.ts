/** What a client asks of GetHLSStreamingSessionURL and GetDASHStreamingSessionURL, with every bound and default of AWS. Pure. */

import type { KvsInput } from '../call.ts';
import { awsError } from '../errors.ts';
import { choiceMember, integerMember, required, structureMember, timeMember } from '../members.ts';
import type { SelectedRange, SessionOptions, TimeAxis } from './session.ts';

/** AWS takes no longer ranges. */
export const rangeMsMax = 24 * 3_600_000;
const expiresS = { min: 300, max: 43_200, default: 300 } as const;
const results = { min: 1, max: 5_000, live: 5, onDemand: 1_000 } as const;

const modes = { LIVE: 'live', LIVE_REPLAY: 'live-replay', ON_DEMAND: 'on-demand' } as const;
const discontinuities = { ALWAYS: 'always', NEVER: 'never', ON_DISCONTINUITY: 'on-discontinuity' } as const;
const containers = { FRAGMENTED_MP4: 'fmp4', MPEG_TS: 'ts' } as const;
const axes = { SERVER_TIMESTAMP: 'server', PRODUCER_TIMESTAMP: 'producer' } as const;

/** @throws AppError InvalidArgumentException */
export function hlsOptions(input: KvsInput, nowMs: number): SessionOptions {
  const common = commonOptions(input, { nowMs, selector: 'HLSFragmentSelector' });
  const discontinuity = keyMember(input, 'DiscontinuityMode', discontinuities);
  return {
    ...common,
    protocol: 'hls',
    container: keyMember(input, 'ContainerFormat', containers) ?? 'fmp4',
    // Server times of a producer over a network are uneven, and players take them for breaks anyway.
    discontinuity: discontinuity ?? (common.axis === 'server' ? 'always' : 'never'),
    showsNumbers: false,
    resultsMax: resultsMember(input, 'MaxMediaPlaylistFragmentResults', common.mode),
  };
}

/** @throws AppError InvalidArgumentException */
export function dashOptions(input: KvsInput, nowMs: number): SessionOptions {
  const common = commonOptions(input, { nowMs, selector: 'DASHFragmentSelector' });
  return {
    ...common,
    protocol: 'dash',
    container: 'fmp4',
    discontinuity: 'never',
    showsNumbers: choiceMember(input, 'DisplayFragmentNumber', ['ALWAYS', 'NEVER']) === 'ALWAYS',
    resultsMax: resultsMember(input, 'MaxManifestFragmentResults', common.mode),
  };
}

/** FragmentSelectorType and TimestampRange, as all selectors have them; `undefined` where there is none. */
export function selectorMember(
  input: KvsInput,
  member: string,
): { readonly axis: TimeAxis | undefined; readonly range: Partial<SelectedRange> | undefined } {
  const selector = structureMember(input, member);
  const axis = selector === undefined ? undefined : keyMember(selector, 'FragmentSelectorType', axes);
  const range = selector === undefined ? undefined : structureMember(selector, 'TimestampRange');
  if (range === undefined) return { axis, range: undefined };
  const beginMs = timeMember(range, 'StartTimestamp');
  return { axis, range: { ...(beginMs === undefined ? {} : { beginMs }), endMs: timeMember(range, 'EndTimestamp') } };
}

/** @throws AppError InvalidArgumentException  it ends before it begins, or is too long */
export function checkedRange({ beginMs, endMs }: SelectedRange): SelectedRange {
  if (endMs !== undefined && endMs <= beginMs) throw invalid('EndTimestamp must be later than StartTimestamp');
  if (endMs !== undefined && endMs - beginMs > rangeMsMax) {
    throw invalid('EndTimestamp must be within 24 hours of StartTimestamp');
  }
  return { beginMs, endMs };
}

/** One of the keys, as what stands under it. @throws AppError InvalidArgumentException */
export function keyMember<const T extends Readonly<Record<string, string>>>(
  input: KvsInput,
  member: string,
  values: T,
): T[keyof T] | undefined {
  const key = choiceMember(input, member, Object.keys(values));
  return key === undefined ? undefined : (values[key] as T[keyof T]);
}

export const timeAxes = axes;

function commonOptions(
  input: KvsInput,
  { nowMs, selector }: { readonly nowMs: number; readonly selector: string },
): Pick<SessionOptions, 'mode' | 'axis' | 'range' | 'showsTimestamps' | 'expiresS'> {
  const mode = keyMember(input, 'PlaybackMode', modes) ?? 'live';
  const selected = selectorMember(input, selector);
  const axis = selected.axis ?? 'server';
  return {
    mode,
    axis,
    range: rangeOf(selected.range, { mode, axis, nowMs, selector }),
    showsTimestamps: choiceMember(input, 'DisplayFragmentTimestamp', ['ALWAYS', 'NEVER']) === 'ALWAYS',
    expiresS: integerMember(input, 'Expires', expiresS) ?? expiresS.default,
  };
}

function rangeOf(
  range: Partial<SelectedRange> | undefined,
  {
    mode,
    axis,
    nowMs,
    selector,
  }: Pick<SessionOptions, 'mode' | 'axis'> & { readonly nowMs: number; readonly selector: string },
): SelectedRange | undefined {
  if (mode === 'live') {
    if (range !== undefined) throw invalid(`${selector}.TimestampRange must not be given for PlaybackMode LIVE`);
    return undefined;
  }
  const given = required(range, `${selector}.TimestampRange`);
  const beginMs = required(given.beginMs, 'StartTimestamp');
  if (mode === 'on-demand') required(given.endMs, 'EndTimestamp');
  const checked = checkedRange({ beginMs, endMs: given.endMs });
  if (axis === 'server' && checked.endMs !== undefined && checked.endMs > nowMs) {
    throw invalid('EndTimestamp must be in the past for FragmentSelectorType SERVER_TIMESTAMP');
  }
  return checked;
}

function resultsMember(input: KvsInput, member: string, mode: SessionOptions['mode']): number {
  return integerMember(input, member, results) ?? (mode === 'on-demand' ? results.onDemand : results.live);
}

function invalid(message: string) {
  return awsError('InvalidArgumentException', message);
}
