"""Parameters as onnxruntime's own quantizer computes them."""

import numpy as np
import onnx
from onnxruntime.quantization import quant_utils
from onnxruntime.quantization.base_quantizer import BaseQuantizer
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer


def type_of(name):
    return getattr(onnx.TensorProto, name.upper())


def parameters(ranges, data_type, symmetric, reduce_range):
    """[scale, zero point] of each [min, max]."""
    lowest, highest = quant_utils.get_qmin_qmax_for_qType(type_of(data_type), reduce_range, symmetric)
    results = []
    for low, high in ranges:
        zero_point, scale = quant_utils.compute_scale_zp(
            np.array(low, dtype=np.float32), np.array(high, dtype=np.float32), lowest, highest, symmetric
        )
        results.append([float(scale), int(zero_point)])
    return results


def weight(numbers, dims, data_type, symmetric, reduce_range, axis=None):
    """Scale, zero point and integers of a weight, per tensor or along an axis."""
    array = np.array(numbers, dtype=np.float32).reshape(dims)
    kind = type_of(data_type)
    if axis is None:
        zero_point, scale, integers = quant_utils.quantize_data(array.flatten(), kind, symmetric, reduce_range)
        return [[float(scale)], [int(zero_point)], integers.flatten().tolist()]
    scales, zero_points, parts = [], [], []
    for channel in range(dims[axis]):
        part = array.take(channel, axis)
        zero_point, scale, integers = quant_utils.quantize_data(part.flatten(), kind, symmetric, reduce_range)
        scales.append(float(scale))
        zero_points.append(int(zero_point))
        parts.append(np.asarray(integers).reshape(part.shape))
    return [scales, zero_points, np.stack(parts, axis).flatten().tolist()]


class Bias:
    """As much of a quantizer as its methods for biases look at."""

    weight_qType = onnx.TensorProto.INT8

    def __init__(self, bias):
        self.tensor = onnx.numpy_helper.from_array(bias, "bias")
        self.added = []
        self.model = self

    def initializer(self):
        return [self.tensor]

    def initializer_extend(self, tensors):
        self.added.extend(tensors)


def bias(numbers, input_scale, weight_scale, per_channel):
    """The weight's scales after making room, the bias' scales and its integers."""
    array = np.array(numbers, dtype=np.float32)
    input_array = np.array(input_scale, dtype=np.float32)
    scales = np.array(weight_scale if per_channel else weight_scale[0], dtype=np.float32)
    holder = Bias(array)
    raised, adjusted = QDQQuantizer._adjust_weight_scale_for_int32_bias(
        holder, input_array, scales, "weight", holder.tensor, per_channel
    )
    if raised:
        scales = adjusted
    BaseQuantizer.quantize_bias_static_impl(holder, "bias", input_array, scales)
    integers, scale = (onnx.numpy_helper.to_array(tensor) for tensor in holder.added[:2])
    return [np.ravel(scales).tolist(), np.ravel(scale).tolist(), integers.tolist()]
