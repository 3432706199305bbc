/** A wall clock of the test's own for a whole process family, by Debian's libfaketime. Monotonic clocks stay as they are. */

import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where libfaketime lies, or undefined where it is not installed (Debian: apt-get install faketime). */
export const fakeTimeLibrary = findLibrary();

export type FakeTime = {
  /** For the process that is to live by this clock. */
  readonly env: Readonly<Record<string, string>>;
  /** Sets the clock to real time plus an offset, in running processes too. */
  set(offsetMs: number): void;
};

/** @param options.directory  where the file lies that says how late it is */
export function startFakeTime(options: { readonly directory: string }): FakeTime {
  const file = join(options.directory, 'fake-time');
  const set = (offsetMs: number) => writeFileSync(file, `${offsetMs < 0 ? '' : '+'}${(offsetMs / 1_000).toFixed(3)}\n`);
  set(0);
  return {
    env: {
      LD_PRELOAD: fakeTimeLibrary ?? '',
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAKETIME_CACHE_DURATION: '1',
      NO_FAKE_STAT: '1',
    },
    set,
  };
}

function findLibrary(): string | undefined {
  for (const machine of ['x86_64-linux-gnu', 'aarch64-linux-gnu']) {
    const directory = join('/usr/lib', machine, 'faketime');
    try {
      if (readdirSync(directory).includes('libfaketimeMT.so.1')) return join(directory, 'libfaketimeMT.so.1');
    } catch {
      // Not this machine's kind.
    }
  }
  return undefined;
}
