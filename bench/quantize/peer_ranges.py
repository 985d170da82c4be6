"""
What Python's MinMax calibration records, and what scales and zero points become of it.

    peer_ranges.py SOURCE FEEDS SAMPLES TARGET     TARGET is written and removed. Prints one JSON object.
"""
import json
import os
import sys

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationMethod, QDQQuantizer, QuantFormat, QuantType, create_calibrator, quantize_static

from peer import Feeds


def bounds(tensors):
    """Ends of ranges by name, without those of values that never had an element."""
    found = {name: [float(np.ravel(bound)[0]) for bound in data.range_value] for name, data in tensors.items()}
    return {name: ends for name, ends in found.items() if np.all(np.isfinite(ends))}


used = {}
quantize_model = QDQQuantizer.quantize_model


def watched(quantizer):
    """Keeps what ranges its parameters come from: Relu's and Softmax's are not as recorded."""
    used.update(bounds(quantizer.tensors_range))
    return quantize_model(quantizer)


def ranges(source, feeds, samples, target):
    calibrator = create_calibrator(source, None, augmented_model_path=f"{target}.augmented.onnx", calibrate_method=CalibrationMethod.MinMax)
    calibrator.collect_data(Feeds(feeds, samples))
    recorded = bounds(calibrator.compute_data().data)
    os.remove(f"{target}.augmented.onnx")
    result = {"recorded": recorded, "parameters": {}}
    QDQQuantizer.quantize_model = watched
    for name, activations in {"uint8": QuantType.QUInt8, "int8": QuantType.QInt8}.items():
        quantize_static(
            source, target, Feeds(feeds, samples), quant_format=QuantFormat.QDQ, per_channel=True, activation_type=activations,
            weight_type=QuantType.QInt8)
        found = {}
        for tensor in onnx.load(target).graph.initializer:
            for ending in ("_scale", "_zero_point"):
                if tensor.name.endswith(ending):
                    values = np.atleast_1d(onnx.numpy_helper.to_array(tensor))
                    found.setdefault(tensor.name[: -len(ending)], {})[ending[1:]] = [float(value) for value in values]
        result["parameters"][name] = found
    os.remove(target)
    return {**result, "used": used}


if __name__ == "__main__":
    source, feeds, samples, target = sys.argv[1:]
    print(json.dumps({**ranges(source, feeds, int(samples), target), "peakBytes": 0}))
