/** Whether a file is one of TensorFlow Lite: a flatbuffer names its schema in four letters. */

/** At byte 4; schema.fbs calls it the file identifier. */
const TFLITE_IDENTIFIER = 'TFL3';

export function looksLikeTflite(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(4, 8)).toString('latin1') === TFLITE_IDENTIFIER;
}
