/** STS: temporary credentials, in the query protocol of AWS. */

export { stsErrorAnswer } from './errors.ts';
export { readForm } from './form.ts';
export {
  answerSts,
  assumedRoleArn,
  type RoleWish,
  type StsCall,
  type StsPrincipal,
  secondsText,
  userArn,
} from './operations.ts';
