/**
 * What other processes may ask of the keeper, as a plain map for the lane server of `run/keeper.sock`. Parameters are parsed
 * before they are trusted; who may ask is decided by the one authoriser before a request comes here.
 */

import { randomUUID } from 'node:crypto';
import type { Registry } from 'prom-client';
import { z } from 'zod';
import { appError, toAppError } from '../base/errors.ts';
import type { Plan } from '../model/camera.ts';
import { eventDetail, eventRangeId, eventWord } from '../model/event-range.ts';
import { limits } from '../model/limits.ts';
import { recordingPolicyShape } from '../model/recording-shape.ts';
import { type CheckLevel, type CheckProgress, type CheckResult, checkLevels } from './check/finding.ts';
import type { Keeper } from './keeper.ts';

export type KeeperRequests = Readonly<Record<string, (params: unknown) => Promise<unknown>>>;

/** Runs a check over the keeper's own data directory. */
export type RunCheck = (options: {
  readonly level: CheckLevel;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: CheckProgress) => void;
}) => Promise<CheckResult>;

const streamId = z.string().min(1).max(200);
const ms = z.number().finite();
const who = z.string().min(1).max(200);

const shapes = {
  holdAdd: z.strictObject({
    streamId: streamId.optional(),
    beginMs: ms,
    endMs: ms.optional(),
    who,
    why: z.string().min(1).max(2_000),
    untilMs: ms.optional(),
  }),
  holdRelease: z.strictObject({ holdId: z.string().min(1).max(64), who }),
  eventPut: z.strictObject({
    rangeId: eventRangeId,
    streamId,
    kind: eventWord,
    source: eventWord,
    beginMs: ms,
    endMs: ms.nullable(),
    detail: eventDetail,
  }),
  eventEnd: z.strictObject({ rangeId: eventRangeId, endMs: ms }),
  eventId: z.strictObject({ rangeId: eventRangeId }),
  deleteRange: z.strictObject({ streamId, beginMs: ms, endMs: ms, who }),
  check: z.strictObject({ level: z.enum(checkLevels) }),
  checkId: z.strictObject({ checkId: z.string().min(1).max(64) }),
  plan: z.object({
    version: z.literal(2),
    sources: z.array(z.object({ streamId, cameraId: z.string(), recording: recordingPolicyShape })),
  }),
};

/** All requests by method. `metrics` is answered with Prometheus text. */
export function keeperRequests(
  dependencies: { readonly keeper: Keeper; readonly registry: Registry; readonly runCheck: RunCheck },
  options: { readonly signal: AbortSignal },
): KeeperRequests {
  const { keeper, registry } = dependencies;
  const checks = new CheckRuns(dependencies.runCheck, options.signal);
  return {
    state: async () => keeper.state,
    metrics: () => registry.metrics(),
    plan: async (params) => {
      keeper.setPlan(parse(shapes.plan, params) as unknown as Plan);
      return {};
    },
    look: async () => {
      keeper.lookNow();
      return {};
    },
    'confirm-clock': async () => {
      keeper.confirmClock();
      return {};
    },
    'adopt-store': async () => {
      await keeper.adoptStore();
      return {};
    },
    'hold-add': async (params) => {
      const { streamId, beginMs, endMs, who, why, untilMs } = parse(shapes.holdAdd, params);
      if (endMs !== undefined && endMs <= beginMs)
        throw appError('invalid_argument', 'hold ends before it begins', { beginMs, endMs });
      keeper.assertOpen();
      return keeper.holds.add({ streamId, beginMs, endMs, who, why, untilMs });
    },
    'hold-release': async (params) => {
      const { holdId, who } = parse(shapes.holdRelease, params);
      keeper.assertOpen();
      await keeper.holds.release(holdId, who);
      return {};
    },
    /** Makes or replaces the range of that id; `endMs: null` while it goes on. */
    'event-put': async (params) => {
      const { endMs, ...range } = parse(shapes.eventPut, params);
      keeper.assertOpen();
      keeper.events.put({ ...range, endMs: endMs ?? undefined });
      return {};
    },
    'event-end': async (params) => {
      const { rangeId, endMs } = parse(shapes.eventEnd, params);
      keeper.assertOpen();
      keeper.events.end(rangeId, endMs);
      return {};
    },
    'event-remove': async (params) => {
      keeper.assertOpen();
      keeper.events.remove(parse(shapes.eventId, params).rangeId);
      return {};
    },
    'delete-range': async (params) => {
      const range = parse(shapes.deleteRange, params);
      if (range.endMs <= range.beginMs) throw appError('invalid_argument', 'range ends before it begins', { ...range });
      return keeper.removeRange(range);
    },
    /** Begins a check and answers its id; `check-progress` tells how far it is and, at the end, what it found. */
    check: async (params) => ({ checkId: checks.begin(parse(shapes.check, params).level) }),
    'check-progress': async (params) => checks.progress(parse(shapes.checkId, params).checkId),
    'check-cancel': async (params) => {
      checks.cancel(parse(shapes.checkId, params).checkId);
      return {};
    },
  };
}

type Check = {
  readonly checkId: string;
  readonly controller: AbortController;
  progress: CheckProgress;
  result?: CheckResult;
  failure?: { readonly code: string; readonly message: string };
};

/** One check at a time; the newest stays for whoever asks for its outcome. */
class CheckRuns {
  readonly #run: RunCheck;
  readonly #signal: AbortSignal;
  #check: Check | undefined;

  constructor(run: RunCheck, signal: AbortSignal) {
    this.#run = run;
    this.#signal = signal;
  }

  begin(level: CheckLevel): string {
    const running = this.#check;
    if (running !== undefined && running.result === undefined && running.failure === undefined) {
      throw appError('failed_precondition', 'a check is running already', { checkId: running.checkId });
    }
    const controller = new AbortController();
    const check: Check = { checkId: randomUUID(), controller, progress: { done: 0, total: 0, findings: 0 } };
    this.#check = check;
    const onProgress = (progress: CheckProgress) => {
      check.progress = progress;
    };
    this.#run({ level, onProgress, signal: AbortSignal.any([controller.signal, this.#signal]) }).then(
      (result) => {
        check.result = { ...result, findings: result.findings.slice(0, limits.checkFindingsMax) };
      },
      (error: unknown) => {
        const { code, message } = toAppError(error);
        check.failure = { code: controller.signal.aborted ? 'cancelled' : code, message };
      },
    );
    return check.checkId;
  }

  progress(checkId: string) {
    const { progress, result, failure } = this.#find(checkId);
    return { ...progress, isFinished: result !== undefined || failure !== undefined, result, failure };
  }

  cancel(checkId: string): void {
    this.#find(checkId).controller.abort();
  }

  #find(checkId: string): Check {
    if (this.#check?.checkId !== checkId) throw appError('not_found', 'no such check', { checkId });
    return this.#check;
  }
}

function parse<Shape extends z.ZodType>(shape: Shape, params: unknown): z.infer<Shape> {
  const parsed = shape.safeParse(params);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw appError('invalid_argument', `parameters are wrong: ${issue?.message ?? 'unknown'}`, {
    at: issue?.path.join('.'),
  });
}
