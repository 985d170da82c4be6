"""onnxruntime's own static quantizer, on ranges that are handed in."""

import numpy as np
import onnx
from onnxruntime.quantization import QuantFormat, QuantType
from onnxruntime.quantization.calibrate import TensorData, TensorsData, CalibrationMethod
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry


def quantize(source, target, ranges, activations, weights, per_channel, reduce_range):
    """Writes the quantized model and answers scale and zero point of every DequantizeLinear, by the float32 tensor's name."""
    model = onnx.load(source)
    data = {
        name: TensorData(lowest=np.array(low, dtype=np.float32), highest=np.array(high, dtype=np.float32))
        for name, (low, high) in ranges.items()
    }
    quantizer = QDQQuantizer(
        model,
        per_channel,
        reduce_range,
        getattr(QuantType, weights),
        getattr(QuantType, activations),
        TensorsData(CalibrationMethod.MinMax, data),
        [],
        [],
        # What quantize_static quantizes where it is told nothing.
        sorted({*QDQRegistry, *QLinearOpsRegistry}),
        {},
    )
    quantizer.quantize_model()
    onnx.save(quantizer.model.model, target)
    return parameters(target)


def parameters(path):
    """By the name of the stored integers: scale, zero point and integers of initializers; without integers for activations."""
    model = onnx.load(path)
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    found = {}
    for node in model.graph.node:
        if node.op_type != "DequantizeLinear":
            continue
        integers = constants.get(node.input[0])
        found[node.input[0]] = [
            np.ravel(constants[node.input[1]]).tolist(),
            np.ravel(constants[node.input[2]]).tolist(),
            None if integers is None else np.ravel(integers).tolist(),
        ]
    return found
