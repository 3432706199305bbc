/** The door of lists of cameras. */

export { type CameraColumn, type CameraRow, cameraColumns, parseCameraList, splitCameraList } from './camera-list.ts';
export { type CsvRecord, csvText, parseCsv } from './csv.ts';
