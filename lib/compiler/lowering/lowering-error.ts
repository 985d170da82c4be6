import { CdkOnnxError } from '../../errors.js';

/** A layer or an operator of the source cannot be written as ONNX, or says what cannot be. */
export class LoweringError extends CdkOnnxError {}
