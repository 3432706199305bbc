/** What the doctor says about one thing that it looked at. Plain values: they cross processes and are shown as JSON. */

export type Verdict = 'ok' | 'warning' | 'fault' | 'unchecked';

export const areas = [
  'configuration',
  'machine',
  'ffmpeg',
  'disk',
  'port',
  'clock',
  'name',
  'certificate',
  'database',
  'store',
  'appliance',
  'alarm',
  'camera',
] as const;

export type Area = (typeof areas)[number];

export type Finding = {
  readonly area: Area;
  /** What it is about: a path, a port, the name of a camera. */
  readonly subject: string;
  /** `unchecked`: nobody can tell, or nobody asked for it; never a reason to worry by itself. */
  readonly verdict: Verdict;
  /** Lower-case sentence with the facts; of a fault its cause. Without credentials. */
  readonly text: string;
  /** What a person can do next; of warnings and faults always. */
  readonly next?: string;
  /** Which page of the runbook; of warnings and faults always. */
  readonly code?: string;
};

export type Diagnosis = {
  readonly atMs: number;
  readonly durationMs: number;
  /** Whether the appliance answered on its own socket. */
  readonly isRunning: boolean;
  /** In the order of `areas`, the worst first within each. */
  readonly findings: readonly Finding[];
};

const weights: Readonly<Record<Verdict, number>> = { fault: 0, warning: 1, unchecked: 2, ok: 3 };

/** The worst verdict of all; `ok` when nothing is wrong. */
export function worstOf(findings: readonly Finding[]): 'ok' | 'warning' | 'fault' {
  if (findings.some(({ verdict }) => verdict === 'fault')) return 'fault';
  return findings.some(({ verdict }) => verdict === 'warning') ? 'warning' : 'ok';
}

/** By area, the worst first, otherwise as they were found. */
export function sorted(findings: readonly Finding[]): Finding[] {
  return [...findings].sort(
    (a, b) => areas.indexOf(a.area) - areas.indexOf(b.area) || weights[a.verdict] - weights[b.verdict],
  );
}

/** Shorthands for the judges: what is wrong always has a next step and a page. */
export function verdictsOf(area: Area, subject: string) {
  const told =
    (verdict: 'warning' | 'fault') =>
    (code: string, text: string, next: string): Finding[] => [{ area, subject, verdict, text, next, code }];
  const plain =
    (verdict: 'ok' | 'unchecked') =>
    (text: string): Finding[] => [{ area, subject, verdict, text }];
  return { ok: plain('ok'), unchecked: plain('unchecked'), warning: told('warning'), fault: told('fault') };
}
