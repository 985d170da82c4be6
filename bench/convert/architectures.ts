/** Networks of keras.applications in every format, made by TensorFlow once per version of the script and kept in .cache/convert. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type ConversionFixture, readConversionFixture } from '../../test/support/conversion-fixture.js';
import { pythonWith } from '../../test/support/python-environment.js';

/** TensorFlow, and the peer that reads its files. */
export const CONVERSION_REQUIREMENTS = [
  'tensorflow-cpu==2.21.0',
  'keras==3.15.1',
  'tf2onnx==1.17.0',
  'onnx==1.23.2',
  'onnxruntime==1.30.0',
  'numpy==2.4.6',
  'pillow==13.0.0',
] as const;

export const ARCHITECTURES = [
  'MobileNet',
  'MobileNetV2',
  'MobileNetV3Small',
  'MobileNetV3Large',
  'EfficientNetB0',
  'EfficientNetV2B0',
  'ResNet50',
  'ResNet50V2',
  'DenseNet121',
  'InceptionV3',
  'Xception',
  'NASNetMobile',
  'ConvNeXtTiny',
] as const;

/** What each format's file or folder is called, and whose outputs it is held against. */
export const FORMATS = [
  { name: 'Keras v3', file: 'model.keras', source: 'keras' },
  { name: 'Keras HDF5', file: 'model.h5', source: 'keras' },
  { name: 'SavedModel', file: 'saved_model', source: 'keras' },
  { name: 'TensorFlow Lite', file: 'model.tflite', source: 'tflite' },
] as const;

export type Format = (typeof FORMATS)[number];

export interface Architecture {
  readonly name: string;
  readonly folder: string;
  /** One input; an output for each of the sources. */
  readonly fixture: ConversionFixture;
  /** The least that the outputs of two samples differ by, of the largest magnitude. */
  readonly spread: number;
  readonly layerNormalizations: number;
}

const script = join(import.meta.dirname, 'architecture.py');
const recorder = join(import.meta.dirname, '../../test/fixtures/conversion/record.py');
const run = promisify(execFile);
const LIMIT_MS = 900_000;

/** Changes with what made the files. */
const made = createHash('sha256')
  .update([...CONVERSION_REQUIREMENTS, readFileSync(script, 'utf8'), readFileSync(recorder, 'utf8')].join('\n'))
  .digest('hex')
  .slice(0, 12);

export async function prepareArchitecture(name: string): Promise<Architecture> {
  const folder = join(import.meta.dirname, '../../.cache/convert', `${name}-${made}`);
  if (!existsSync(folder))
    await run(pythonWith(CONVERSION_REQUIREMENTS), ['-B', script, name, folder], {
      timeout: LIMIT_MS,
      maxBuffer: 2 ** 26,
    });
  const facts = JSON.parse(readFileSync(join(folder, 'facts.json'), 'utf8'));
  return { name, folder, fixture: await readConversionFixture(join(folder, 'model')), ...facts };
}
