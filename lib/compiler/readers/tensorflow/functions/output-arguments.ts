/**
 * The output arguments of operators that have several: functions' bodies name outputs by them. Written by
 * test/fixtures/conversion/savedmodel/output_arguments.py from the registry of TensorFlow 2.21.0.
 */
export interface OutputArgument {
  readonly name: string;
  /** The attribute that says how many outputs it is, or lists their types; undefined: one. */
  readonly length: string | undefined;
}

/** Names in order; `name*attribute` is a list. */
const OUTPUTS: Readonly<Record<string, string>> = {
  AnonymousMemoryCache: 'handle deleter',
  AnonymousRandomSeedGenerator: 'handle deleter',
  AnonymousSeedGenerator: 'handle deleter',
  ApproxTopK: 'values indices',
  BatchSelfAdjointEigV2: 'e v',
  BatchSvd: 's u v',
  BlockLSTM: 'i cs f o ci co h',
  BlockLSTMV2: 'i cs f o ci co h',
  CombinedNonMaxSuppression: 'nmsed_boxes nmsed_scores nmsed_classes valid_detections',
  ComputeAccidentalHits: 'indices ids weights',
  ConvertToCooTensor: 'row_ids col_ids gains',
  ConvertToListOfSparseCoreCooTensors:
    'row_ids_list*num_sc_per_chip col_ids_list*num_sc_per_chip gains_list*num_sc_per_chip',
  CustomAggregator: 'output min max histogram',
  DenseCountSparseOutput: 'output_indices output_values output_dense_shape',
  DenseToDenseSetOperation: 'result_indices result_values result_shape',
  DenseToSparseSetOperation: 'result_indices result_values result_shape',
  DeserializeManySparse: 'sparse_indices sparse_values sparse_shape',
  DeserializeSparse: 'sparse_indices sparse_values sparse_shape',
  Eig: 'e v',
  FractionalAvgPool: 'output row_pooling_sequence col_pooling_sequence',
  FractionalMaxPool: 'output row_pooling_sequence col_pooling_sequence',
  FusedBatchNorm: 'y batch_mean batch_variance reserve_space_1 reserve_space_2',
  FusedBatchNormV2: 'y batch_mean batch_variance reserve_space_1 reserve_space_2',
  FusedBatchNormV3: 'y batch_mean batch_variance reserve_space_1 reserve_space_2 reserve_space_3',
  GRUBlockCell: 'r u c h',
  GenerateVocabRemapping: 'remapping num_present',
  GetMinibatchSplitsWithPhysicalReplica:
    'sorted_row_ids sorted_col_ids sorted_gains splits id_counts max_ids max_uniques',
  GetStatsFromListOfSparseCoreCooTensors: 'max_ids_per_sparse_core max_unique_ids_per_sparse_core',
  IntOutputFloatOutput: 'a b',
  IsotonicRegression: 'output segments',
  LSTMBlockCell: 'i cs f o ci co h',
  ListDiff: 'out idx',
  LogMatrixDeterminant: 'sign log_abs_determinant',
  Lu: 'lu p',
  MapUnstageNoKey: 'key values*dtypes',
  MaxPoolWithArgmax: 'output argmax',
  Merge: 'output value_index',
  NearestNeighbors: 'nearest_center_indices nearest_center_distances',
  NonMaxSuppressionV4: 'selected_indices valid_outputs',
  NonMaxSuppressionV5: 'selected_indices selected_scores valid_outputs',
  OrderedMapUnstageNoKey: 'key values*dtypes',
  Qr: 'q r',
  QuantizeDownAndShrinkRange: 'output output_min output_max',
  QuantizeV2: 'output output_min output_max',
  QuantizedAdd: 'z min_z max_z',
  QuantizedAvgPool: 'output min_output max_output',
  QuantizedBatchNormWithGlobalNormalization: 'result result_min result_max',
  QuantizedBiasAdd: 'output min_out max_out',
  QuantizedConcat: 'output output_min output_max',
  QuantizedConcatV2: 'output output_min output_max',
  QuantizedInstanceNorm: 'y y_min y_max',
  QuantizedMaxPool: 'output min_output max_output',
  QuantizedMul: 'z min_z max_z',
  QuantizedRelu: 'activations min_activations max_activations',
  QuantizedRelu6: 'activations min_activations max_activations',
  QuantizedReluX: 'activations min_activations max_activations',
  QuantizedReshape: 'output output_min output_max',
  QuantizedResizeBilinear: 'resized_images out_min out_max',
  RefMerge: 'output value_index',
  RefOutputFloatOutput: 'a b',
  RefSwitch: 'output_false output_true',
  RequantizationRange: 'output_min output_max',
  RequantizationRangePerChannel: 'output_min output_max',
  Requantize: 'output output_min output_max',
  RequantizePerChannel: 'output output_min output_max',
  SelfAdjointEigV2: 'e v',
  SoftmaxCrossEntropyWithLogits: 'loss backprop',
  SortListOfSparseCoreCooTensors: 'sorted_row_ids sorted_col_ids sorted_gains id_counts',
  SparseAdd: 'sum_indices sum_values sum_shape',
  SparseConcat: 'output_indices output_values output_shape',
  SparseCountSparseOutput: 'output_indices output_values output_dense_shape',
  SparseCross: 'output_indices output_values output_shape',
  SparseCrossHashed: 'output_indices output_values output_shape',
  SparseCrossV2: 'output_indices output_values output_shape',
  SparseFillEmptyRows: 'output_indices output_values empty_row_indicator reverse_index_map',
  SparseReduceMaxSparse: 'output_indices output_values output_shape',
  SparseReduceSumSparse: 'output_indices output_values output_shape',
  SparseReorder: 'output_indices output_values',
  SparseReshape: 'output_indices output_shape',
  SparseSlice: 'output_indices output_values output_shape',
  SparseSoftmaxCrossEntropyWithLogits: 'loss backprop',
  SparseSparseMaximum: 'output_indices output_values',
  SparseSparseMinimum: 'output_indices output_values',
  SparseSplit: 'output_indices*num_split output_values*num_split output_shape*num_split',
  SparseToSparseSetOperation: 'result_indices result_values result_shape',
  SplitDedupData: 'integer_tensor float_tensor',
  StatelessRandomGetKeyCounter: 'key counter',
  StatelessRandomGetKeyCounterAlg: 'key counter alg',
  Svd: 's u v',
  Switch: 'output_false output_true',
  TakeManySparseFromTensorsMap: 'sparse_indices sparse_values sparse_shape',
  TensorArrayConcat: 'value lengths',
  TensorArrayConcatV2: 'value lengths',
  TensorArrayConcatV3: 'value lengths',
  TensorArrayV3: 'handle flow',
  TensorListConcat: 'tensor lengths',
  TensorListConcatV2: 'tensor lengths',
  TensorListPopBack: 'output_handle tensor',
  TopK: 'values indices',
  TopKUnique: 'topk topk_indices',
  TopKV2: 'values indices',
  TopKWithUnique: 'topk topk_indices',
  Unique: 'y idx',
  UniqueV2: 'y idx',
  UniqueWithCounts: 'y idx count',
  UniqueWithCountsV2: 'y idx count',
};

const known = new Map(Object.entries(OUTPUTS));

/** undefined: one output argument, or an operator that is not known here. */
export function outputArguments(op: string): readonly OutputArgument[] | undefined {
  return known
    .get(op)
    ?.split(' ')
    .map((text) => {
      const [name = '', length] = text.split('*');
      return { name, length };
    });
}
