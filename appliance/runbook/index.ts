/** The door of the runbook: what each code means and what to do, for people without a network. */

export { helpPath, Runbook, runbookCodes, runbookStyle } from './runbook.ts';
