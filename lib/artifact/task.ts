/** What a model's endpoint means to the person who calls it; pre- and post-processing as data. Named after Hugging Face's pipelines. */
export type Task = TensorTask | ObjectDetectionTask | ImageClassificationTask;

/** Tensors in, tensors out: no `/predict` route. */
export interface TensorTask {
  /** Tells this task from the others. */
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
  /** Order of the input's dimensions: N is 1, C the channels. */
  readonly layout: 'NHWC' | 'NCHW';
  /** Their order, and how many: `grayscale` has one. */
  readonly channels: 'RGB' | 'BGR' | 'grayscale';
  /** One number per channel, in units of 0 to 255; the tensor is (pixel - mean) / std. */
  readonly mean: readonly number[];
  /** As `mean`; no zeros. */
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
  /** Name of the output with the boxes' offsets. */
  readonly boxes: string;
  /** Name of the output with the logits. */
  readonly scores: string;
  /** Cells from top to bottom. */
  readonly rows: number;
  /** Cells from left to right. */
  readonly columns: number;
  /** Anchors that share a centre. */
  readonly anchorsPerCell: number;
}

/**
 * Boxes encoded against anchors. A row of `boxes` is [xCentre, yCentre, width, height, x0, y0, x1, y1, …] as offsets from the
 * anchor in pixels of the model's input; the pairs after the fourth are keypoints. Scores are logits.
 */
export interface AnchorDecoder {
  /** Tells this decoder from the others. */
  readonly type: 'anchors';
  /** In the order of the model's anchors. */
  readonly featureMaps: readonly AnchorFeatureMap[];
  /** Default 0. */
  readonly keypoints?: number;
}

/** YOLO heads: [1, 4 + classes, N] (`v8`) or [1, N, 5 + classes] (`v5`), boxes as [xCentre, yCentre, width, height] in pixels of the model's input. */
export interface YoloDecoder {
  /** Tells this decoder from the others. */
  readonly type: 'yolo';
  /** Whether the head has an objectness beside its classes (`v5`) or not (`v8`). */
  readonly version: 'v5' | 'v8';
  /** Name of the output that is the head. */
  readonly output: string;
}

/** Models that already decode: boxes [1, N, 4] or [N, 4], scores [.., N], and optionally class indices [.., N]. */
export interface DecodedBoxes {
  /** Tells this decoder from the others. */
  readonly type: 'boxes';
  /** Name of the output with the boxes. */
  readonly boxes: string;
  /** Name of the output with the scores. */
  readonly scores: string;
  /** Name of the output with the class indices. Without it `scores` is [.., N, classes], or [.., N] for one class. */
  readonly labels?: string;
  /** Order of a box's four numbers; the x and y of `xywh` are the box's corner with the smallest of both. */
  readonly order: 'xyxy' | 'yxyx' | 'xywh';
  /** `pixels` of the model's input, or `normalized` to 0..1 of it. */
  readonly units: 'pixels' | 'normalized';
}

/** Boxes with labels and scores for a posted picture. */
export interface ObjectDetectionTask {
  /** Tells this task from the others. */
  readonly type: 'object-detection';
  /** From the picture to the model. */
  readonly image: ImagePreprocessing;
  /** From the outputs to boxes. */
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

/** The labels that fit a posted picture best. */
export interface ImageClassificationTask {
  /** Tells this task from the others. */
  readonly type: 'image-classification';
  /** From the picture to the model. */
  readonly image: ImagePreprocessing;
  /** The output that holds one score per class: [1, classes]. */
  readonly output: string;
  /** One name per class, by class index. */
  readonly labels: readonly string[];
  /** What turns the output into scores. Default `none`: it holds probabilities already. */
  readonly activation?: 'none' | 'softmax' | 'sigmoid';
  /** How many predictions come back. Default 5. */
  readonly top?: number;
}
