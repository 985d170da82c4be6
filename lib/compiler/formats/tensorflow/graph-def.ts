/** TensorFlow's GraphDef as plain data: what SavedModels, frozen graphs and TensorFlow.js graph models have in common. */

/** TensorFlow's names of element types, without the DT_ prefix and in lower case: 'float', 'int32', 'half', 'qint8', 'resource'. */
export type TensorFlowType = string;

export interface TensorFlowTensor {
  readonly dataType: TensorFlowType;
  readonly dims: readonly number[];
  /** Raw little-endian elements, repeated where the message holds fewer than `dims` says; bool as bytes. Not for texts. */
  readonly bytes: Uint8Array;
  /** Elements of `string` tensors. */
  readonly strings?: readonly Uint8Array[];
}

/** undefined: unknown rank; sizes of -1: unknown. */
export type TensorFlowShape = readonly number[] | undefined;

export interface FunctionReference {
  readonly kind: 'function';
  readonly name: string;
  readonly attributes: ReadonlyMap<string, AttrValue>;
}

export type AttrValue =
  | { readonly kind: 'string'; readonly value: Uint8Array }
  | { readonly kind: 'int'; readonly value: bigint }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'type'; readonly value: TensorFlowType }
  | { readonly kind: 'shape'; readonly value: TensorFlowShape }
  | { readonly kind: 'tensor'; readonly value: TensorFlowTensor }
  | FunctionReference
  /** A reference to an attribute of the function around it. */
  | { readonly kind: 'placeholder'; readonly name: string }
  | { readonly kind: 'list'; readonly values: readonly AttrValue[] };

export interface NodeDef {
  readonly name: string;
  readonly op: string;
  /** `node`, `node:1`, `^control`; in a function's body `argument`, `node:output:0`. */
  readonly inputs: readonly string[];
  readonly attributes: ReadonlyMap<string, AttrValue>;
}

export interface ArgumentDef {
  readonly name: string;
  /** 'type_0' where an attribute of the call gives it. */
  readonly dataType: TensorFlowType;
  /** The attribute of the call that gives the type. */
  readonly typeAttribute?: string;
}

export interface FunctionDef {
  readonly name: string;
  readonly inputs: readonly ArgumentDef[];
  readonly outputs: readonly ArgumentDef[];
  readonly nodes: readonly NodeDef[];
  /** Output argument to the value of the body, `node:output:0`. */
  readonly returns: ReadonlyMap<string, string>;
  /** Nodes of the body that run for what they do, whoever reads their outputs. */
  readonly controlReturns?: readonly string[];
  /** Of the function itself, hints among them: `api_implements` names what a group of functions computes alike. */
  readonly attributes?: ReadonlyMap<string, AttrValue>;
}

export interface GraphDef {
  readonly nodes: readonly NodeDef[];
  readonly functions: ReadonlyMap<string, FunctionDef>;
}
