/** Every operator that is read, from the tables of its family. */
import type { OperatorEntry, OperatorTable } from '../operator-table.js';
import { activation } from './activation.js';
import { arithmetic } from './arithmetic.js';
import { choose } from './choose.js';
import { controlFlow } from './control-flow.js';
import { convolutions } from './convolution.js';
import { detection } from './detection.js';
import { matrix } from './matrix.js';
import { pooling } from './pooling.js';
import { quantizing } from './quantization.js';
import { rearrange } from './rearrange.js';
import { recurrent } from './recurrent.js';
import { reducers } from './reduce.js';
import { resizing } from './resize.js';

export const OPERATORS: OperatorTable = {
  ...activation,
  ...arithmetic,
  ...choose,
  ...controlFlow,
  ...convolutions,
  ...matrix,
  ...pooling,
  ...quantizing,
  ...rearrange,
  ...recurrent,
  ...reducers,
  ...resizing,
};

/** Operators that are no builtin ones, by the name in the file. */
export const CUSTOM_OPERATORS: Readonly<Record<string, OperatorEntry>> = detection;
