/** Where the photo lies in the model's input, and the way back. */
import type { ImagePreprocessing } from '../../artifact/task.js';

/** `input = photo * scale + offset`, both in pixels, measured from the top left corner of the first pixel. */
export interface Placement {
  readonly photoWidth: number;
  readonly photoHeight: number;
  readonly scaleX: number;
  readonly scaleY: number;
  readonly offsetX: number;
  readonly offsetY: number;
  /** The part of the input that the photo covers, in whole pixels; around it lies padding. */
  readonly content: { readonly left: number; readonly top: number; readonly width: number; readonly height: number };
}

/** `letterbox` centres the photo; where the padding is odd, the larger half lies right or below. */
export function placePhoto(
  { width, height, resize }: Pick<ImagePreprocessing, 'width' | 'height' | 'resize'>,
  photo: { readonly width: number; readonly height: number },
): Placement {
  const sides = { photoWidth: photo.width, photoHeight: photo.height };
  const whole = { left: 0, top: 0, width, height };
  switch (resize) {
    case 'stretch':
      return {
        ...sides,
        scaleX: width / photo.width,
        scaleY: height / photo.height,
        offsetX: 0,
        offsetY: 0,
        content: whole,
      };
    case 'crop': {
      const scale = Math.max(width / photo.width, height / photo.height);
      const offsetX = (width - photo.width * scale) / 2;
      const offsetY = (height - photo.height * scale) / 2;
      return { ...sides, scaleX: scale, scaleY: scale, offsetX, offsetY, content: whole };
    }
    case 'letterbox': {
      const scale = Math.min(width / photo.width, height / photo.height);
      const content = {
        width: Math.max(1, Math.round(photo.width * scale)),
        height: Math.max(1, Math.round(photo.height * scale)),
      };
      const left = Math.floor((width - content.width) / 2);
      const top = Math.floor((height - content.height) / 2);
      // Of the rounded content, so that the way back is exact.
      return {
        ...sides,
        scaleX: content.width / photo.width,
        scaleY: content.height / photo.height,
        offsetX: left,
        offsetY: top,
        content: { left, top, ...content },
      };
    }
  }
}

/** A point of the model's input, in pixels of the photo; it may lie outside of it. */
export function toPhoto(placement: Placement, x: number, y: number): { readonly x: number; readonly y: number } {
  return { x: (x - placement.offsetX) / placement.scaleX, y: (y - placement.offsetY) / placement.scaleY };
}
