/** The program if it is there already, or undefined. */
export function workerThere(environment?: NodeJS.ProcessEnv): string | undefined;

/** What people are told while it is not there. */
export function whyNoWorker(environment?: NodeJS.ProcessEnv): {
  readonly state: 'building' | 'missing';
  readonly reason: string;
};
