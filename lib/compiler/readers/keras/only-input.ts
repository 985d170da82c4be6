import { ReaderError } from '../reader-error.js';
import type { LayerCall, LayerTensor } from './layer.js';

/** The input of a layer that takes one. @throws ReaderError LAYER_INPUTS */
export function onlyInput({ inputs, config }: LayerCall): LayerTensor {
  const [input] = inputs;
  if (input !== undefined && inputs.length === 1) return input;
  throw new ReaderError({
    code: 'LAYER_INPUTS',
    message: `${config.describes} is called with ${inputs.length} tensors and takes one.`,
    advice: 'The file is damaged, or was written by a Keras that is not known here; save the model again.',
  });
}
