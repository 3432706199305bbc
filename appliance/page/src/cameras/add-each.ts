/** Adds cameras one after another, a few at once, and tells of each what became of it. */

import { type ApiFault, type CameraInput, type ChangedCamera, call, faultOf } from '../api.ts';
import { forEachAtOnce } from '../frame/at-once.ts';

export type Outcome =
  | { readonly is: 'waiting' }
  | { readonly is: 'adding' }
  | { readonly is: 'added'; readonly cameraId: string }
  | { readonly is: 'refused'; readonly fault: ApiFault };

const atOnceMax = 4;

export function addEach<Key>(
  inputs: ReadonlyMap<Key, CameraInput>,
  onOutcome: (key: Key, outcome: Outcome) => void,
): Promise<void> {
  for (const key of inputs.keys()) onOutcome(key, { is: 'waiting' });
  return forEachAtOnce([...inputs], atOnceMax, async ([key, input]) => {
    onOutcome(key, { is: 'adding' });
    try {
      const { id } = await call<ChangedCamera>('POST', '/api/cameras', input);
      onOutcome(key, { is: 'added', cameraId: id });
    } catch (error) {
      onOutcome(key, { is: 'refused', fault: faultOf(error) });
    }
  });
}
