import { ModelFormatError } from '../../errors.js';

/** A source model whose bytes are in order holds what cannot be converted, or contradicts itself. */
export class ReaderError extends ModelFormatError {}
