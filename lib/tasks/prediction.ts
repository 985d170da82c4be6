/** The answers of POST /predict/{model}, in the shape of Hugging Face's pipelines. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Pixels of the posted photo as people see it (turned upright), from its top left corner. */
export interface BoundingBox {
  readonly xmin: number;
  readonly ymin: number;
  readonly xmax: number;
  readonly ymax: number;
}

export interface DetectedObject {
  readonly label: string;
  /** 0 to 1. */
  readonly score: number;
  readonly box: BoundingBox;
  /** Only from models that give them; they may lie outside of the photo. */
  readonly keypoints?: readonly Point[];
}

export interface ClassPrediction {
  readonly label: string;
  readonly score: number;
}

/** A stretch of a posted sound in which somebody speaks. */
export interface SpeechSegment {
  readonly label: 'speech';
  /** Mean probability of speech over it. */
  readonly score: number;
  /** Seconds from the sound's start. */
  readonly start: number;
  /** Seconds from the sound's start. */
  readonly end: number;
}

export type Prediction = DetectedObject | ClassPrediction | SpeechSegment;
