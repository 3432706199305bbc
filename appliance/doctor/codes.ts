/** Codes that only the doctor tells, each with a page in the runbook; other findings have the code of the alarm or gap they lead to. */

export const doctorCodes = [
  'certificate-wrong',
  'clock-unsynchronised',
  'config-wrong',
  'database-damaged',
  'disk-slow',
  'inodes-filling',
  'machine-small',
  'module-missing',
  'name-unresolved',
  'network-disk',
  'port-taken',
  'tool-missing',
] as const;
