/**
 * Something that is read from the API, and again when it changed. A resource of Solid throws at whoever looks at one that failed;
 * here what was read last stays, and the fault is told beside it.
 */

import { createEffect, createResource, createSignal, on } from 'solid-js';
import { type ApiFault, faultOf } from '../api.ts';
import { createDeepSignal } from './deep-signal.ts';

export type Reading<T> = ReturnType<typeof createReading<T>>;

/**
 * @param options.changed    read again whenever this changes
 * @param options.isInPlace  of rows with ids: those that stay the same keep their elements
 */
export function createReading<T>(
  read: () => Promise<T>,
  options: { readonly changed?: () => unknown; readonly isInPlace?: boolean } = {},
) {
  const [fault, setFault] = createSignal<ApiFault>();
  const [resource, { refetch, mutate }] = createResource<T | undefined>(
    async (_, { value }) => {
      try {
        const answer = await read();
        setFault(undefined);
        return answer;
      } catch (error) {
        setFault(faultOf(error));
        return value;
      }
    },
    options.isInPlace === true ? { storage: createDeepSignal } : {},
  );
  const again = () => void refetch();
  if (options.changed !== undefined) createEffect(on(options.changed, again, { defer: true }));
  return {
    /** What was read last; undefined before the first answer. */
    latest: (): T | undefined => resource.latest,
    isReading: (): boolean => resource.loading,
    /** Of the last attempt. */
    fault,
    again,
    /** A change answered with what would be read. */
    set: (value: T) => void mutate(() => value),
  };
}
