/** The demo camera. */

export { Demo } from './demo.ts';
export { DemoCamera } from './demo-camera.ts';
