/** The Python environment with onnxruntime's own quantizer: the oracle of tests, never a runtime dependency. */
export const QUANTIZATION_REQUIREMENTS = ['onnxruntime==1.30.0', 'numpy==2.4.6', 'onnx==1.23.2'] as const;
