/** What is known of operators in half precision. */
import type { ElementType } from '../../ir/element-type.js';

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

/** Have no float16 by ONNX, or no kernel for it on the CUDA or the CPU provider of onnxruntime. */
const WITHOUT_KERNEL = words(`
  AffineGrid Bernoulli BlackmanWindow CastLike Celu CenterCropPad Col2Im CumSum DFT DeformConv Det EyeLike HammingWindow HannWindow
  ImageDecoder IsInf Max MaxRoiPool MaxUnpool MelWeightMatrix Min Multinomial NegativeLogLikelihoodLoss NonMaxSuppression
  RandomNormal RandomNormalLike RandomUniform RandomUniformLike Range RoiAlign STFT SoftmaxCrossEntropyLoss TfIdfVectorizer TopK Unique Upsample
  ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul QuantizeLinear`);

/** Leave float16, which ends at 65,504, on ordinary activations: sums over many numbers, squares, exponentials. */
export const OVERFLOWING_OPERATORS: ReadonlySet<string> = new Set(
  words(`
  Exp GlobalLpPool LRN LpNormalization LpPool MeanVarianceNormalization Pow ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceProd
  ReduceSum ReduceSumSquare Softplus`),
);

/** Operators that stay in single precision unless a caller says otherwise. */
export const SINGLE_PRECISION_OPERATORS: ReadonlySet<string> = new Set([...WITHOUT_KERNEL, ...OVERFLOWING_OPERATORS]);

/** Inputs that are float32 by ONNX whatever the others are. */
export const FLOAT32_INPUTS: Readonly<Record<string, readonly number[]>> = { Resize: [1, 2], Upsample: [1] };

/** Take a tensor of any type, and return none of floating point because of it. */
export const TYPE_BLIND_OPERATORS: ReadonlySet<string> = new Set(['IsNaN', 'NonZero', 'Shape', 'Size']);

interface TypeAttribute {
  readonly name: string;
  /** What it says where it is left out. */
  readonly byDefault?: ElementType;
}

/** Where an attribute names the output's element type. */
export const TYPE_ATTRIBUTES: Readonly<Record<string, TypeAttribute>> = {
  Cast: { name: 'to' },
  RandomNormal: { name: 'dtype', byDefault: 'float32' },
  RandomUniform: { name: 'dtype', byDefault: 'float32' },
};

/** Sizes and positions are computed with these, and they may exceed float16: 65,536 pixels do. */
export const SIZE_ARITHMETIC: ReadonlySet<string> = new Set(
  words(`
    Abs Add Cast Ceil Clip Concat Div Exp Expand Floor Gather Identity Log Mod Mul Neg Pow Reciprocal ReduceMax ReduceMin ReduceProd
    Reshape Round Slice Sqrt Squeeze Sub Unsqueeze Where`),
);

/** Their output is as large, or as small, as their inputs: what float16 cannot hold it cannot hold behind them either. */
export const KEEP_MAGNITUDE: ReadonlySet<string> = new Set(
  words(`
    Abs Add Cast Concat Expand Flatten Gather GatherElements GatherND Identity Max Mean Min Mul Neg Pad ReduceMax ReduceMean
    Reshape ScatterElements ScatterND Slice Split Squeeze Sub Sum Tile Transpose Unsqueeze Where`),
);
