/** What a model's endpoint means to the person who calls it; pre- and post-processing as data. Named after Hugging Face's pipelines. */
export type Task =
  | TensorTask
  | ObjectDetectionTask
  | ImageClassificationTask
  | TextClassificationTask
  | VoiceActivityTask;

/** Whether a request at /predict runs the model once for each of its windows, which wait for each other: then it cannot wait in a queue. */
export function isSequence({ type }: Task): boolean {
  return type === 'voice-activity';
}

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

/**
 * Words and marks by their hash, so that there is no vocabulary to keep. The text in Unicode's form NFKC and lower case is cut into runs of
 * letters and digits (`\p{L}`, `\p{N}`) and single other characters; white space only separates. A token's id is
 * `firstId + FNV-1a(token's UTF-8, 32 bits) mod (vocabularySize - firstId)`.
 */
export interface HashTokenizer {
  /** Tells this tokenizer from the others. */
  readonly type: 'hash';
  /** Rows of the model's embedding table. */
  readonly vocabularySize: number;
  /** Ids below it are no words: padding, start, end. Default 3. */
  readonly firstId?: number;
  /** Put in front of every text. Default none. */
  readonly startId?: number;
  /** Put behind every text. Default none. */
  readonly endId?: number;
}

/** A `tokenizer.json` as Hugging Face's tokenizers write it. */
export interface TokenizerFile {
  /** Tells this tokenizer from the others. */
  readonly type: 'tokenizer-json';
  /** Relative to model.json; the artifact carries it. */
  readonly file: string;
}

/** From a posted text to the tensors of its tokens, [1, tokens] each. */
export interface TextPreprocessing {
  /** From the text to token ids. */
  readonly tokenizer: HashTokenizer | TokenizerFile;
  /** The input that takes the ids: int64 or int32. */
  readonly ids: string;
  /** The input that takes 1 for a token and 0 for padding: int64, int32, float32 or bool. Default none. */
  readonly mask?: string;
  /** The input that takes the segment of each token, of which there is one: zeros. Default none. */
  readonly typeIds?: string;
  /** Tokens; of longer texts the start counts, with the end token behind it. */
  readonly maxLength: number;
  /** Whether shorter texts are padded to `maxLength`. Default `max-length`. */
  readonly padding?: 'max-length' | 'none';
  /** Id of padding. Default 0. */
  readonly padId?: number;
}

/** The labels that fit a posted text best. */
export interface TextClassificationTask {
  /** Tells this task from the others. */
  readonly type: 'text-classification';
  /** From the text to the model. */
  readonly text: TextPreprocessing;
  /** The output that holds one score per class: [1, classes]. */
  readonly output: string;
  /** One name per class, by class index. */
  readonly labels: readonly string[];
  /** What turns the output into scores. Default `none`: it holds probabilities already. */
  readonly activation?: 'none' | 'softmax' | 'sigmoid';
  /** How many predictions come back. Default 5. */
  readonly top?: number;
}

/** From a posted sound to a sequence of windows, one run each: float32 [1, context + window], samples from -1 to 1, one channel. */
export interface AudioPreprocessing {
  /** The input that takes a window. */
  readonly input: string;
  /** What the model hears, Hz; other sounds are resampled. */
  readonly sampleRate: number;
  /** New samples a window; the last one is filled up with silence. */
  readonly window: number;
  /** Samples of the window before, in front of the new ones; silence in front of the first. Default 0. */
  readonly context?: number;
  /** The input that takes the sample rate: a whole number. Default none. */
  readonly sampleRateInput?: string;
  /** Inputs that take an output of the window before; zeros in front of the first. Free dimensions are 1. Default none. */
  readonly state?: readonly { readonly input: string; readonly output: string }[];
}

/** The stretches of a posted sound in which somebody speaks. */
export interface VoiceActivityTask {
  /** Tells this task from the others. */
  readonly type: 'voice-activity';
  /** From the sound to the model. */
  readonly audio: AudioPreprocessing;
  /** The output that holds the probability of speech in a window: [1, 1]. */
  readonly output: string;
  /** Windows with at least this much are speech. Default 0.5. */
  readonly threshold?: number;
  /** A pause shorter than this does not end a stretch. Seconds, default 0.1. */
  readonly minSilence?: number;
  /** Stretches shorter than this are dropped. Seconds, default 0.25. */
  readonly minSpeech?: number;
}
