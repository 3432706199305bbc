import { defineConfig } from 'vitest/config';

const timeouts = { testTimeout: 120_000, hookTimeout: 120_000 };
/** Two appliances with few and small cameras. */
const waiting = ['test/e2e/alarms.test.ts', 'test/e2e/modes.test.ts'];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...timeouts,
          name: 'parts',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**'],
          // Two cores are what a small site and CI have: more workers only fight the cameras and ffmpeg children of the tests.
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...timeouts,
          name: 'waiting',
          include: waiting,
          // What they wait for is minutes of the clock, and how long an alarm holds: they do so at the same time.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...timeouts,
          name: 'whole',
          include: ['test/e2e/**/*.test.ts'],
          exclude: waiting,
          // Cameras send in real time and every frame is judged: one appliance with its cameras has the machine to itself.
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
