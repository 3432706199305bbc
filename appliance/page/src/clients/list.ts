/** A list of the API that changes in place, and what is done to it: one thing at a time, with its fault. */

import { createEffect, createMemo, createResource, createSignal, on } from 'solid-js';
import { type ApiFault, faultOf } from '../api.ts';
import { createDeepSignal } from '../frame/deep-signal.ts';

/**
 * @param read     the whole list
 * @param changed  read again whenever this changes
 */
export function createList<Row extends { readonly id: string }>(
  read: () => Promise<readonly Row[]>,
  changed: () => number,
) {
  const [resource, { refetch }] = createResource(read, { storage: createDeepSignal });
  createEffect(on(changed, () => void refetch(), { defer: true }));
  /** What was read last stays where reading again fails. */
  const rows = createMemo<readonly Row[]>(
    (known) => (resource.error === undefined ? (resource.latest ?? known) : known),
    [],
  );
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
      void refetch();
    }
  };
  return {
    rows,
    isEmpty: () => resource.state === 'ready' && rows().length === 0,
    fault: (): ApiFault | undefined =>
      refused() ?? (resource.error === undefined ? undefined : faultOf(resource.error)),
    /** A refusal is of the past when something else is begun. */
    forget: () => setRefused(undefined),
    isBusy,
    attempt,
  };
}
