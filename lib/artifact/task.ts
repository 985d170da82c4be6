/** What a model's endpoint means to the person who calls it; pre- and post-processing as data. Named after Hugging Face's pipelines. */
export type Task = TensorTask | ObjectDetectionTask | ImageClassificationTask;

/** Tensors in, tensors out: no `/predict` route. */
export interface TensorTask {
  readonly type: 'tensor';
}

/** From a posted picture to one input tensor. */
export interface ImagePreprocessing {
  /** The model's input that takes the picture. */
  readonly input: string;
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  /** `letterbox` keeps the aspect ratio and pads the rest; `stretch` ignores it; `crop` scales the shorter side and cuts the middle. */
  readonly resize: 'letterbox' | 'stretch' | 'crop';
  readonly layout: 'NHWC' | 'NCHW';
  readonly channels: 'RGB' | 'BGR' | 'grayscale';
  /** One number per channel, in units of 0 to 255; the tensor is (pixel - mean) / std. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** Value of the padding of `letterbox`, 0 to 255. Default 0. */
  readonly padValue?: number;
  /** What lies behind transparent pixels of a PNG: RGB, 0 to 255, whatever `channels` says. Default white, as on most pages. */
  readonly background?: readonly [number, number, number];
}

/**
 * One feature map of a single-shot detector with anchors, as in MediaPipe's SsdAnchorsCalculator:
 * outputs of shape [1, rows * columns * anchorsPerCell, ...], cells in row-major order, anchors of unit size at their centres.
 */
export interface AnchorFeatureMap {
  readonly boxes: string;
  readonly scores: string;
  readonly rows: number;
  readonly columns: number;
  readonly anchorsPerCell: number;
}

/**
 * Boxes encoded against anchors. A row of `boxes` is [xCentre, yCentre, width, height, x0, y0, x1, y1, …] as offsets from the
 * anchor in pixels of the model's input; the pairs after the fourth are keypoints. Scores are logits.
 */
export interface AnchorDecoder {
  readonly type: 'anchors';
  readonly featureMaps: readonly AnchorFeatureMap[];
  /** Default 0. */
  readonly keypoints?: number;
}

/** YOLO heads: [1, 4 + classes, N] (`v8`) or [1, N, 5 + classes] (`v5`), boxes as [xCentre, yCentre, width, height] in pixels of the model's input. */
export interface YoloDecoder {
  readonly type: 'yolo';
  readonly version: 'v5' | 'v8';
  readonly output: string;
}

/** Models that already decode: boxes [1, N, 4] or [N, 4], scores [.., N], and optionally class indices [.., N]. */
export interface DecodedBoxes {
  readonly type: 'boxes';
  readonly boxes: string;
  readonly scores: string;
  readonly labels?: string;
  /** Order of a box's four numbers; the x and y of `xywh` are the box's corner with the smallest of both. */
  readonly order: 'xyxy' | 'yxyx' | 'xywh';
  /** `pixels` of the model's input, or `normalized` to 0..1 of it. */
  readonly units: 'pixels' | 'normalized';
}

export interface ObjectDetectionTask {
  readonly type: 'object-detection';
  readonly image: ImagePreprocessing;
  readonly decoder: AnchorDecoder | YoloDecoder | DecodedBoxes;
  /** One name per class, by class index. */
  readonly labels: readonly string[];
  /** Detections below it are dropped. Default 0.5. */
  readonly scoreThreshold?: number;
  /** Boxes of one class that overlap more than this are one object. Default 0.3. */
  readonly iouThreshold?: number;
  /** `suppress` keeps the best box; `blend` averages the overlapping ones by score, as MediaPipe does. Default `suppress`. */
  readonly overlap?: 'suppress' | 'blend';
  /** Default 100. */
  readonly maxDetections?: number;
}

export interface ImageClassificationTask {
  readonly type: 'image-classification';
  readonly image: ImagePreprocessing;
  /** The output that holds one score per class: [1, classes]. */
  readonly output: string;
  readonly labels: readonly string[];
  /** What turns the output into scores. Default `none`: it holds probabilities already. */
  readonly activation?: 'none' | 'softmax' | 'sigmoid';
  /** How many predictions come back. Default 5. */
  readonly top?: number;
}
