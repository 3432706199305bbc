/** The command line. */

export { runCommandLine } from './run.ts';
