/** The half of a task that all models of pictures share: a body in, feeds and the photo's placement out. */
import type { Signature } from '../../artifact/manifest.js';
import type { ImagePreprocessing } from '../../artifact/task.js';
import type { TensorFeeds } from '../tensors.js';
import { decodePicture } from './decode-picture.js';
import { checkImageInput } from './image-input.js';
import { imageTensor } from './image-tensor.js';
import { loadJpegTurbo } from './jpeg-turbo.js';
import type { PictureLimits } from './picture.js';
import { type Placement, placePhoto } from './placement.js';

/**
 * A JPEG is decoded at no less than this many pixels for one of the model's input: the filter of the resampling then still sees twice as
 * much as it keeps, and the tensor hardly differs from one made of the full photo.
 */
const OVERSAMPLING = 2;

export const PICTURE_MEDIA_TYPES = ['image/jpeg', 'image/png'] as const;

export interface ImagePipeline {
  warm(): void;
  prepare(body: Uint8Array): { readonly feeds: TensorFeeds; readonly placement: Placement };
}

/** @throws ConfigurationError when the task does not fit the model's inputs */
export function createImagePipeline(
  image: ImagePreprocessing,
  signature: Signature,
  limits: PictureLimits = {},
): ImagePipeline {
  const input = checkImageInput(image, signature);
  return {
    warm: () => void loadJpegTurbo(),
    prepare(body) {
      const decoded = decodePicture(body, {
        limits,
        ...(image.background === undefined ? {} : { background: image.background }),
        scaleWanted: (photo) => {
          const { scaleX, scaleY } = placePhoto(image, photo);
          return Math.max(scaleX, scaleY) * OVERSAMPLING;
        },
      });
      const { feed, placement } = imageTensor(image, input.dataType, decoded);
      return { feeds: { [input.name]: feed }, placement };
    },
  };
}
