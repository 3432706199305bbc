/** What a check can find: which invariant of `storage/README.md` does not hold, where, and what a person can do. */

export const checkLevels = ['presence', 'size', 'hash'] as const;

/** `presence`: rows, objects and files meet. `size`: lengths and tables too. `hash`: every byte is read. */
export type CheckLevel = (typeof checkLevels)[number];

export type Invariant = 1 | 2 | 3 | 4 | 5;

export type Finding = {
  readonly invariant: Invariant;
  /** `alarm`: footage is lost or wrong. `warning`: something is not as it should be, nothing is lost. */
  readonly severity: 'alarm' | 'warning';
  /** Lower-case sentence with the facts. */
  readonly what: string;
  /** File, object key or row that it is about. */
  readonly where: string;
  readonly hint: string;
};

export type CheckProgress = { readonly done: number; readonly total: number; readonly findings: number };

export type CheckResult = {
  readonly level: CheckLevel;
  readonly findings: readonly Finding[];
  readonly segments: number;
  readonly objects: number;
  readonly files: number;
  /** Parts that could not be looked at, and why: a check that saw nothing is no good news. */
  readonly skipped: readonly string[];
};
