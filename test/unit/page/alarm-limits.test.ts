import { expect, test } from 'vitest';
import { alarmDefaults, alarmSettings } from '../../../appliance/alarms/index.ts';
import {
  addressChoices,
  changedLimits,
  faultBeside,
  limitText,
  limitWords,
} from '../../../appliance/page/src/settings/alarm-limits.ts';

test('every setting that the API has is on the page, with all that may be chosen', () => {
  expect(Object.keys(limitWords)).toEqual(Object.keys(alarmSettings.shape));
  expect(Object.keys(addressChoices)).toEqual(alarmSettings.shape.webhookAddresses.options);
});

test('values are read with their units', () => {
  expect(limitText('gapMinutesPerDay', alarmDefaults)).toBe('10 minutes');
  expect(limitText('gapMinutesPerDay', { gapMinutesPerDay: 1 })).toBe('1 minute');
  expect(limitText('webhookAddresses', alarmDefaults)).toBe('everywhere, local networks too');
});

test('only what differs is sent', () => {
  expect(changedLimits(alarmDefaults, alarmDefaults)).toEqual({});
  expect(changedLimits(alarmDefaults, { ...alarmDefaults, gapMinutesPerDay: 5 })).toEqual({ gapMinutesPerDay: 5 });
});

test('a fault stands beside the field that it is about, without the name of it', () => {
  const fault = { code: 'invalid_argument', message: 'gapMinutesPerDay: too small', field: 'gapMinutesPerDay' };

  expect(faultBeside(fault, 'gapMinutesPerDay')).toBe('too small');
  expect(faultBeside({ ...fault, message: 'odd' }, 'gapMinutesPerDay')).toBe('odd');
  expect(faultBeside(fault, 'webhookAddresses')).toBeUndefined();
  expect(faultBeside(undefined, 'webhookAddresses')).toBeUndefined();
});
