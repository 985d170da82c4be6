"""What onnxruntime's own quantizer of MatMulNBits writes."""

import base64

import numpy as np
from onnxruntime.capi._pybind_state import quantize_matmul_4bits, quantize_matmul_8bits


def quantize(weights, rows, columns, bits, block_size, symmetric):
    """weights: base64 of float32 [rows, columns]; returns base64 of integers, scales and zero points."""
    matrix = np.frombuffer(base64.b64decode(weights), np.float32).reshape(rows, columns)
    blocks = -(-rows // block_size)
    per_byte = 8 // bits
    padded = np.pad(matrix, ((0, blocks * block_size - rows), (0, 0)))
    integers = np.zeros((columns, blocks, block_size // per_byte), np.uint8)
    scales = np.zeros((columns, blocks), np.float32)
    zero_points = np.zeros((columns, -(-blocks // per_byte)), np.uint8)
    quantizer = quantize_matmul_4bits if bits == 4 else quantize_matmul_8bits
    quantizer(integers, padded, scales, zero_points, block_size, columns, rows, symmetric)
    return [base64.b64encode(array.tobytes()).decode() for array in (integers, scales, zero_points)]
