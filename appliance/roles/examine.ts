/**
 * Has a process of its own look at the appliance: the doctor, the check of all recordings, the file for support. What it touches
 * may hang (a dead mount, a huge database, a stranger's camera), so it is killed when its time is over, and what it found until
 * then counts.
 */

import { fork } from 'node:child_process';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Clock } from '../../storage/base/clock.ts';
import { type AppError, appError, type ErrorCode, isAppError, toAppError } from '../../storage/base/errors.ts';
import type { CheckLevel, CheckProgress, CheckResult } from '../../storage/keeper/index.ts';
import type { Examiner } from '../admin/index.ts';
import type { Config } from '../config/index.ts';
import { type ConfigOrigin, type Diagnosis, type Finding, sorted, verdictsOf, worstOf } from '../doctor/index.ts';
import { type ArchivedText, tarOf } from '../support/index.ts';

export type DoctorQuestion = {
  readonly kind: 'doctor';
  readonly config: Config;
  /** Whether it is what the running appliance has, or what a command was told. */
  readonly configOrigin: ConfigOrigin;
  /** Why `config` is not the one that was meant. */
  readonly configFault: { readonly message: string; readonly hint: string | undefined } | undefined;
};

export type CheckQuestion = { readonly kind: 'check'; readonly config: Config; readonly level: CheckLevel };

export type SupportQuestion = {
  readonly kind: 'support';
  readonly config: Config;
  readonly configOrigin: ConfigOrigin;
  /** Whose conversation is to be written down; none when undefined. */
  readonly camera: string | undefined;
  readonly traceMs: number;
  readonly areHostsMasked: boolean;
};

/** What the child is asked. */
export type ExamineQuestion = DoctorQuestion | CheckQuestion | SupportQuestion;

/** What it says, until it ends. */
export type ExamineAnswer =
  | { readonly type: 'findings'; readonly findings: readonly Finding[] }
  | { readonly type: 'progress'; readonly progress: CheckProgress }
  | { readonly type: 'text'; readonly text: ArchivedText }
  | { readonly type: 'done'; readonly result: unknown }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string; readonly hint: string | undefined };

export type ExamineDeps = { readonly clock: Clock };

/** Every look ends by itself within 15 s; then nothing is waited for that hangs in the kernel. */
const doctorMs = 20_000;
/** Each part ends by itself within 16 s. */
const supportMs = 25_000;
const gzipped = promisify(gzip);
/** Dead mounts hold a thread each, and names are resolved by the same threads. */
const threads = '64';

/** Resolves with a diagnosis, whatever it is: what was not over in time is among the findings. */
export async function diagnose(
  { clock }: ExamineDeps,
  options: Omit<DoctorQuestion, 'kind'> & { readonly entry: string; readonly signal: AbortSignal },
): Promise<Diagnosis> {
  const { entry, signal, ...question } = options;
  const [atMs, beganMs] = [clock.wallMs(), clock.monotonicMs()];
  const findings: Finding[] = [];
  let isRunning = false;
  const late = new AbortController();
  const cancel = clock.after(doctorMs, () => late.abort());
  try {
    const result = await askChild(
      entry,
      { kind: 'doctor', ...question },
      AbortSignal.any([signal, late.signal]),
      (answer) => {
        if (answer.type === 'findings') findings.push(...answer.findings);
      },
    );
    isRunning = (result as { isRunning: boolean }).isRunning;
  } catch (error) {
    if (signal.aborted) throw error;
    const text = late.signal.aborted
      ? `looks were not over within ${doctorMs / 1000} s and were given up`
      : `looks ended early: ${toAppError(error).message}`;
    findings.push(...verdictsOf('machine', 'doctor').unchecked(text));
  } finally {
    cancel();
  }
  return { atMs, durationMs: Math.round(clock.monotonicMs() - beganMs), isRunning, findings: sorted(findings) };
}

/** Compares index, files and store, as `weir check` does. @throws AppError  it could not be done at all, or was given up */
export async function checkInChild(
  options: Omit<CheckQuestion, 'kind'> & {
    readonly entry: string;
    readonly signal: AbortSignal;
    readonly onProgress: (progress: CheckProgress) => void;
  },
): Promise<CheckResult> {
  const { entry, signal, onProgress, ...question } = options;
  const result = await askChild(entry, { kind: 'check', ...question }, signal, (answer) => {
    if (answer.type === 'progress') onProgress(answer.progress);
  });
  return result as CheckResult;
}

/**
 * One file for whoever is to help (tar, gzip): what was collected when it was over, or when its time was.
 *
 * @throws AppError not_found  there is no such camera
 */
export async function collectSupport(
  { clock }: ExamineDeps,
  options: Omit<SupportQuestion, 'kind'> & { readonly entry: string; readonly signal: AbortSignal },
): Promise<Uint8Array> {
  const { entry, signal, ...question } = options;
  const texts: ArchivedText[] = [];
  const late = new AbortController();
  const cancel = clock.after(supportMs + question.traceMs, () => late.abort());
  try {
    await askChild(entry, { kind: 'support', ...question }, AbortSignal.any([signal, late.signal]), (answer) => {
      if (answer.type === 'text') texts.push(answer.text);
    });
  } catch (error) {
    if (signal.aborted || isAppError(error, 'not_found')) throw error;
    const why = late.signal.aborted ? 'it took too long' : toAppError(error).message;
    texts.push({ name: 'INCOMPLETE.txt', text: `Not all could be collected: ${why}\n` });
  } finally {
    cancel();
  }
  return gzipped(tarOf(texts, { atMs: clock.wallMs() }));
}

/** The same for `serve`, which asks them of the appliance that it is part of. */
export function examinerOf(deps: ExamineDeps, options: { readonly entry: string; readonly config: Config }): Examiner {
  const configOrigin = 'running';
  return {
    doctor: async (signal) => {
      const diagnosis = await diagnose(deps, { ...options, configOrigin, configFault: undefined, signal });
      return { ...diagnosis, verdict: worstOf(diagnosis.findings) };
    },
    support: (wishes, signal) => collectSupport(deps, { ...options, configOrigin, ...wishes, signal }),
    check: (level, ways) => checkInChild({ ...options, ...ways, level }),
  };
}

/** One question, many answers, the last of them `done`. The child does not outlive the promise. */
export function askChild(
  entry: string,
  question: ExamineQuestion,
  signal: AbortSignal,
  onAnswer: (answer: ExamineAnswer) => void,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(cancelled());
      return;
    }
    const child = fork(entry, ['role', 'examine'], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: { ...process.env, UV_THREADPOOL_SIZE: threads },
    });
    const end = (settle: () => void) => {
      signal.removeEventListener('abort', onAbort);
      child.kill('SIGKILL');
      settle();
    };
    const onAbort = () => end(() => reject(cancelled()));
    signal.addEventListener('abort', onAbort, { once: true });
    child.on('message', (answer: ExamineAnswer) => {
      if (answer.type === 'done') end(() => resolve(answer.result));
      else if (answer.type === 'failed') {
        const hint = answer.hint === undefined ? {} : { hint: answer.hint };
        end(() => reject(appError(answer.code, answer.message, hint)));
      } else onAnswer(answer);
    });
    child.once('error', (error) => end(() => reject(toAppError(error))));
    child.once('exit', (code, ended) =>
      end(() => reject(appError('internal', `the process that looks ended by ${ended ?? `code ${code}`}`, {}))),
    );
    child.send(question);
  });
}

function cancelled(): AppError {
  return appError('cancelled', 'it was given up', {});
}
