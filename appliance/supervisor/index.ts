/** The parent of all roles, and what it says to them. */

export { InstanceLock } from './instance-lock.ts';
export { LogFiles } from './log-files.ts';
export type { RoleFigures, RoleKind, RoleMessage, RoleState, SupervisorMessage } from './messages.ts';
export { partIndexes, partIndexOf, readPlan } from './plan-reader.ts';
export { planForRole } from './role-plan.ts';
export { readRunningConfiguration } from './running-configuration.ts';
export { Supervisor } from './supervisor.ts';
