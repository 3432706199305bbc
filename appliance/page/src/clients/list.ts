/** A list of the API that changes in place, and what is done to it: one thing at a time, with its fault. */

import { createSignal } from 'solid-js';
import { type ApiFault, faultOf } from '../api.ts';
import { createReading } from '../frame/reading.ts';

/**
 * @param read     the whole list
 * @param changed  read again whenever this changes
 */
export function createList<Row extends { readonly id: string }>(
  read: () => Promise<readonly Row[]>,
  changed: () => number,
) {
  const reading = createReading(read, { changed, isInPlace: true });
  const [refused, setRefused] = createSignal<ApiFault>();
  const [isBusy, setBusy] = createSignal(false);
  /** A second press while the first is on its way does nothing. @returns whether it was done */
  const attempt = async (work: () => Promise<unknown>): Promise<boolean> => {
    if (isBusy()) return false;
    setBusy(true);
    setRefused(undefined);
    try {
      await work();
      return true;
    } catch (error) {
      setRefused(faultOf(error));
      return false;
    } finally {
      setBusy(false);
      reading.again();
    }
  };
  return {
    rows: (): readonly Row[] => reading.latest() ?? [],
    isEmpty: () => reading.latest()?.length === 0,
    fault: (): ApiFault | undefined => refused() ?? reading.fault(),
    /** A refusal is of the past when something else is begun. */
    forget: () => setRefused(undefined),
    isBusy,
    attempt,
  };
}
