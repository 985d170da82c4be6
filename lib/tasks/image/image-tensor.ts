/** From a picture to the one tensor that a model takes. */
import type { TensorSignature } from '../../artifact/manifest.js';
import type { ImagePreprocessing } from '../../artifact/task.js';
import type { TensorFeed } from '../tensors.js';
import { imageTensorShape } from './image-input.js';
import type { DecodedPicture } from './picture.js';
import { type Placement, placePhoto } from './placement.js';
import { resample } from './resample.js';

/** ITU-R BT.601, as Pillow and OpenCV turn RGB into gray. */
const LUMA = [0.299, 0.587, 0.114] as const;

/** (pixel - mean) / std per channel, straight into the tensor; padding too is normalized. `dataType` is float32 or uint8. */
export function imageTensor(
  image: ImagePreprocessing,
  dataType: TensorSignature['dataType'],
  decoded: DecodedPicture,
): { readonly feed: TensorFeed; readonly placement: Placement } {
  const { width, height } = image;
  const placement = placePhoto(image, { width: decoded.photoWidth, height: decoded.photoHeight });
  const { content } = placement;
  const depth = image.channels === 'grayscale' ? 1 : 3;
  const isFloat = dataType === 'float32';
  const data = isFloat ? new Float32Array(width * height * depth) : new Uint8ClampedArray(width * height * depth);
  const [pixelStep, channelStep] = image.layout === 'NHWC' ? [depth, 1] : [1, width * height];
  const scale = image.std.map((std) => 1 / std);
  const shift = image.mean.map((mean, channel) => -mean * (scale[channel] as number));
  if (content.width < width || content.height < height) fillPadding();

  // The part of the decoded picture that the content shows.
  const region = {
    left: ((content.left - placement.offsetX) / placement.scaleX) * decoded.scale,
    top: ((content.top - placement.offsetY) / placement.scaleY) * decoded.scale,
    width: (content.width / placement.scaleX) * decoded.scale,
    height: (content.height / placement.scaleY) * decoded.scale,
  };
  resample(decoded.picture, region, content, depth === 1 ? writeGray : writeColors);
  return {
    feed: {
      dataType,
      shape: imageTensorShape(image),
      data: isFloat ? (data as Float32Array) : new Uint8Array(data.buffer),
    },
    placement,
  };

  function fillPadding() {
    for (let channel = 0; channel < depth; channel++) {
      const value = (image.padValue ?? 0) * (scale[channel] as number) + (shift[channel] as number);
      for (let at = channel * channelStep, pixel = 0; pixel < width * height; pixel++, at += pixelStep)
        data[at] = value;
    }
  }

  function writeColors(row: Float32Array, y: number) {
    const start = ((content.top + y) * width + content.left) * pixelStep;
    for (let channel = 0; channel < 3; channel++) {
      const factor = scale[channel] as number;
      const offset = shift[channel] as number;
      let source = image.channels === 'BGR' ? 2 - channel : channel;
      let at = start + channel * channelStep;
      for (let x = 0; x < content.width; x++, at += pixelStep, source += 3) {
        data[at] = (row[source] as number) * factor + offset;
      }
    }
  }

  function writeGray(row: Float32Array, y: number) {
    const factor = scale[0] as number;
    const offset = shift[0] as number;
    let at = ((content.top + y) * width + content.left) * pixelStep;
    for (let x = 0, source = 0; x < content.width; x++, at += pixelStep, source += 3) {
      const gray =
        LUMA[0] * (row[source] as number) +
        LUMA[1] * (row[source + 1] as number) +
        LUMA[2] * (row[source + 2] as number);
      data[at] = gray * factor + offset;
    }
  }
}
