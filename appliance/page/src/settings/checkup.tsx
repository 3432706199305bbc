/** Whether the appliance is well: the doctor, the check of all recordings, and the file for whoever is to help. */

import { Show } from 'solid-js';
import { createMay } from '../frame/session.ts';
import { DoctorCard } from './doctor.tsx';
import { RecordingsCheck } from './recordings-check.tsx';
import { SupportFile } from './support-file.tsx';

export function Checkup() {
  const may = createMay();
  return (
    <div class="stack">
      <DoctorCard />
      <Show when={may('system:check')}>
        <RecordingsCheck />
      </Show>
      <Show when={may('system:support')}>
        <SupportFile />
      </Show>
    </div>
  );
}
