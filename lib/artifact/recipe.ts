/** How one node's weights and activations are stored and computed. Plain types: locks and reports carry them. */

export type IntegerType = 'int8' | 'uint8' | 'int16' | 'uint16' | 'int4' | 'uint4';

/**
 * Scale and zero point of one tensor: one number each, one per channel along `axis`, or without an axis one per block of MatMulNBits, column by
 * column. real = (integer - zeroPoint) * scale; a block's scale may be negative.
 */
export interface QuantizationParameters {
  /** The value's name in the normalized graph. */
  readonly tensor: string;
  readonly dataType: IntegerType;
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
  readonly axis?: number;
}

/** Computed and stored in float32. */
export interface Float32Recipe {
  readonly scheme: 'fp32';
}

/** Computed in float32; weights stored in float16 behind a Cast that onnxruntime folds at load. */
export interface Float16StorageRecipe {
  readonly scheme: 'fp16-storage';
}

/** Computed in float32; weights stored as int8 behind Cast and Mul that onnxruntime folds at load. */
export interface WeightOnlyRecipe {
  readonly scheme: 'int8-weight-only';
  readonly perChannel: boolean;
}

/** Gather from an int8 table, one scale per row; only the gathered rows become float32. */
export interface EmbeddingRecipe {
  readonly scheme: 'int8-embedding';
}

/** Activations quantized at run time: MatMul, Gemm, LSTM. */
export interface DynamicRecipe {
  readonly scheme: 'int8-dynamic';
  readonly weights: 'int8' | 'uint8';
  readonly perChannel: boolean;
  /** 7 bits: no saturation on x64 without VNNI, at the price of one bit. */
  readonly reduceRange: boolean;
}

/** Activations quantized with recorded ranges, as QuantizeLinear and DequantizeLinear pairs that onnxruntime fuses. */
export interface StaticRecipe {
  readonly scheme: 'int8-static';
  readonly activations: 'uint8' | 'int8' | 'uint16' | 'int16';
  readonly weights: 'int8' | 'uint8';
  readonly perChannel: boolean;
  /** 7-bit weights. */
  readonly reduceRange: boolean;
}

/** com.microsoft.MatMulNBits: weights in blocks along K, each with its scale. */
export interface BlockwiseRecipe {
  readonly scheme: 'matmul-nbits';
  readonly bits: 4 | 8;
  /** A power of two, at least 16. */
  readonly blockSize: number;
  readonly symmetric: boolean;
  /** 0 computes in float32; 4 in int8, which is what makes it fast. */
  readonly accuracyLevel: 0 | 4;
}

export type Recipe =
  | Float32Recipe
  | Float16StorageRecipe
  | WeightOnlyRecipe
  | EmbeddingRecipe
  | DynamicRecipe
  | StaticRecipe
  | BlockwiseRecipe;

export type Scheme = Recipe['scheme'];

/** Names a node whatever its position: its first output, its op type and the digest of its weights. */
export interface NodeKey {
  readonly output: string;
  readonly opType: string;
  /** sha256 of the node's constant inputs in order, lower-case hexadecimal. */
  readonly weights: string;
}

export interface NodeRecipe {
  readonly node: NodeKey;
  readonly recipe: Recipe;
}
