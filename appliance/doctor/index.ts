/** The door of the doctor: looks at everything that Weir needs, and says what is wrong, why, and what to do next. */

export { doctorCodes } from './codes.ts';
export { type DatabaseAnswer, readDatabase } from './database-reading.ts';
export { type DoctorDeps, type DoctorOptions, examine } from './doctor.ts';
export { areas, type Diagnosis, type Finding, sorted, type Verdict, verdictsOf, worstOf } from './finding.ts';
export { runProgram } from './run-program.ts';
export { within } from './within.ts';
