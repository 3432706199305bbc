/** A clip as H.264, for whoever cannot play what is stored. It may be refused for want of a place, which a mere link would not say. */

import { createSignal, onCleanup } from 'solid-js';
import { ApiError, type ApiFault, faultOf } from '../api.ts';

export function ConvertedClip(props: {
  readonly address: string;
  readonly fileName: string;
  readonly onFault: (fault: ApiFault | undefined) => void;
}) {
  const [isBusy, setBusy] = createSignal(false);
  const leaving = new AbortController();
  onCleanup(() => leaving.abort());
  const take = async () => {
    setBusy(true);
    props.onFault(undefined);
    try {
      save(await fetchedFile(props.address, leaving.signal), props.fileName);
    } catch (error) {
      if (!leaving.signal.aborted) props.onFault(faultOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <button
      type="button"
      class="second small"
      title="Converted: plays everywhere, takes about as long as it lasts, and is not what the camera sent"
      disabled={isBusy()}
      onClick={() => void take()}
    >
      {isBusy() ? 'Converting …' : 'As H.264'}
    </button>
  );
}

/** @throws ApiError  as the appliance refused it, or `unavailable` when it broke off */
async function fetchedFile(address: string, signal: AbortSignal): Promise<Blob> {
  const response = await fetch(address, { signal });
  if (response.ok) {
    return response.blob().catch(() => {
      throw new ApiError(0, { code: 'unavailable', message: 'the conversion broke off', hint: 'try a shorter range' });
    });
  }
  const answer = (await response.json().catch(() => undefined)) as { error?: ApiFault } | undefined;
  throw new ApiError(
    response.status,
    answer?.error ?? { code: 'unavailable', message: 'the clip cannot be converted' },
  );
}

function save(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser has opened it by the next turn of the loop.
  setTimeout(() => URL.revokeObjectURL(url));
}
