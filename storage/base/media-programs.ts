/**
 * What ffmpeg and ffprobe are started with: they read bytes of strangers with parsers of a million lines, so they get to see no
 * secret of our environment, and they are the first to go where memory runs out, not what records.
 */

import { writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

/** Where programs, files, fonts, words and the zone of drawn clocks are found. */
const kept = new Set(['PATH', 'HOME', 'LANG', 'LANGUAGE', 'TZ', 'TMPDIR', 'LD_LIBRARY_PATH']);
/** Families of names: words, fonts, and what drivers of hardware encoders are told by. */
const keptPrefixes = ['LC_', 'FONTCONFIG_', 'LIBVA_', 'CUDA_', 'NVIDIA_', 'ONEVPL_'];

/** The part of an environment that such a program may see. Everything else stays here: keys of stores, among others. */
export function mediaEnvironment(all: Readonly<NodeJS.ProcessEnv> = process.env): NodeJS.ProcessEnv {
  const isKept = (name: string) => kept.has(name) || keptPrefixes.some((prefix) => name.startsWith(prefix));
  return Object.fromEntries(Object.entries(all).filter(([name]) => isKept(name)));
}

/**
 * Puts such a program behind what records, for memory and for processor time. Never fails: it may have ended already.
 *
 * @param options.niceness  0 as everybody .. 19 only when nobody else wants it
 */
export function yieldToCameras(pid: number | undefined, { niceness }: { readonly niceness: number }): void {
  if (pid === undefined) return;
  const attempt = (work: () => void) => {
    try {
      work();
    } catch {
      // It ended, the machine forbids it, or is no Linux: it works all the same.
    }
  };
  // Anybody may raise it for their own children.
  attempt(() => writeFileSync(`/proc/${pid}/oom_score_adj`, '1000'));
  if (niceness > 0) attempt(() => setPriority(pid, niceness));
}
