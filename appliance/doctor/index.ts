/** The door of the doctor: looks at everything that Weir needs, and says what is wrong, why, and what to do next. */

export { doctorCodes } from './codes.ts';
export { type DatabaseAnswer, readDatabase } from './database-reading.ts';
export type { ConfigOrigin, DoctorDeps, DoctorOptions } from './doctor.ts';
export { examine } from './examine.ts';
export { areas, type Diagnosis, type Finding, sorted, type Verdict, verdictsOf, worstOf } from './finding.ts';
export { runProgram } from './run-program.ts';
export { within } from './within.ts';
