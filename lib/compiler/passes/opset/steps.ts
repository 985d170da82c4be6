/** Every change of the standard operators from opset 7 to 21, a step per version. */
import {
  clipToInputs,
  dftAxisToInput,
  intsToInput,
  padToInputs,
  sliceToInputs,
  splitNumOutputs,
  topKToInput,
} from './attributes-to-inputs.js';
import {
  averagePoolEdges,
  erfOfFloats,
  gridSampleModes,
  roiAlignCoordinates,
  scatterToScatterElements,
} from './changed-defaults.js';
import { dropoutMask, dropoutRatioToInput } from './dropout.js';
import {
  batchNormalizationInference,
  batchNormalizationSpatial,
  groupNormalizationPerChannel,
} from './normalization.js';
import { resizeCoordinates, resizeOptionalInputs, upsampleScalesToInput, upsampleToResize } from './resize.js';
import { scanWithoutBatch } from './scan.js';
import { softmaxOverOneAxis } from './softmax.js';
import type { NodeConverter, OpsetStep } from './step.js';

const axesToInput = intsToInput('axes', 1);

function forEach(opTypes: string, converter: NodeConverter): Record<string, NodeConverter> {
  return Object.fromEntries(words(opTypes).map((opType) => [opType, converter]));
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

/** Version N turns a model of opset N - 1 into one of opset N. */
export const OPSET_STEPS: readonly OpsetStep[] = [
  { version: 8, unchanged: words('Max MaxPool Mean Min Sum'), converters: {} },
  {
    version: 9,
    unchanged: words('Cast Constant Flatten Gemm Greater Less MatMul PRelu'),
    converters: {
      BatchNormalization: batchNormalizationSpatial,
      Scan: scanWithoutBatch,
      Upsample: upsampleScalesToInput,
    },
  },
  {
    version: 10,
    unchanged: words('AveragePool MaxPool'),
    converters: { Dropout: dropoutMask, Slice: sliceToInputs, TopK: topKToInput, Upsample: upsampleToResize },
  },
  {
    version: 11,
    unchanged: words(`
      ArgMax ArgMin AveragePool Compress Concat Constant Conv ConvTranspose DepthToSpace Equal Flatten Gather Gemm Hardmax
      If LogSoftmax Loop LpPool MaxPool MaxUnpool NonMaxSuppression OneHot ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp
      ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Scan Slice Softmax Split Squeeze TopK Unsqueeze`),
    converters: {
      Clip: clipToInputs,
      Pad: padToInputs,
      Resize: resizeCoordinates,
      Scatter: scatterToScatterElements,
    },
  },
  {
    version: 12,
    unchanged: words('ArgMax ArgMin Clip Constant GatherND Max MaxPool Min Pow ReduceMax ReduceMin'),
    converters: { Dropout: dropoutRatioToInput },
  },
  {
    version: 13,
    unchanged: words(`
      Abs Add ArgMax ArgMin Cast Ceil Clip Concat Constant DepthToSpace DequantizeLinear Div Dropout Equal Exp Expand Flatten
      Floor Gather GatherElements GatherND Gemm Greater Identity If IsNaN LRN Less Log Loop MatMul Max Mean
      MeanVarianceNormalization Min Mod Mul Neg NegativeLogLikelihoodLoss NonZero Pad Pow QuantizeLinear Reciprocal ReduceL1
      ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare Relu Reshape
      ScatterElements ScatterND Shape Sigmoid Sign Size Slice SoftmaxCrossEntropyLoss SpaceToDepth Sqrt Sub Sum Tanh Tile
      Transpose`),
    converters: {
      ...forEach('Softmax LogSoftmax Hardmax', softmaxOverOneAxis),
      ...forEach('ReduceSum Squeeze Unsqueeze', axesToInput),
      Erf: erfOfFloats,
      Resize: resizeOptionalInputs,
      Split: intsToInput('split', 1),
    },
  },
  {
    version: 14,
    unchanged: words('Add CumSum Div GRU Identity LSTM Mul RNN Relu Reshape Sub'),
    converters: { BatchNormalization: batchNormalizationInference },
  },
  { version: 15, unchanged: words('BatchNormalization Pow Shape'), converters: {} },
  {
    version: 16,
    unchanged: words(`
      GreaterOrEqual Identity If LeakyRelu LessOrEqual Loop PRelu Scan ScatterElements ScatterND Where`),
    converters: { RoiAlign: roiAlignCoordinates },
  },
  { version: 17, unchanged: [], converters: {} },
  {
    version: 18,
    unchanged: words('LpPool OptionalGetElement OptionalHasElement Pad Resize ScatterElements ScatterND'),
    converters: {
      ...forEach(
        `ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare`,
        axesToInput,
      ),
      Split: splitNumOutputs,
    },
  },
  {
    version: 19,
    unchanged: words(`
      Cast CastLike Constant DequantizeLinear Equal Identity If Loop Pad QuantizeLinear Reshape Resize Scan Shape Size`),
    converters: { AveragePool: averagePoolEdges },
  },
  {
    version: 20,
    unchanged: words('ConstantOfShape IsInf IsNaN ReduceMax ReduceMin'),
    converters: { DFT: dftAxisToInput, GridSample: gridSampleModes },
  },
  {
    version: 21,
    unchanged: words(`
      Cast CastLike Constant ConstantOfShape DequantizeLinear Flatten Identity If Loop Pad QLinearMatMul QuantizeLinear
      Reshape Scan Shape Size Squeeze Transpose Unsqueeze`),
    converters: { GroupNormalization: groupNormalizationPerChannel },
  },
];
