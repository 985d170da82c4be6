"""
What people use in Python: onnxruntime.quantization, one command a process, so that its time and peak memory are its own.

    peer.py convert SOURCE TARGET                          to opset 17, then its own preparation
    peer.py quantize SOURCE TARGET RECIPE FEEDS [SAMPLES]  RECIPE: dynamic[-channel] | static-{minmax,entropy,percentile}[-channel]

FEEDS is an .npz archive with an array per input, one sample a row. Prints one JSON object.
"""
import json
import os
import sys

import numpy as np
import onnx
import onnx.version_converter
import onnxruntime
from onnxruntime.quantization import (
    CalibrationDataReader, CalibrationMethod, QuantFormat, quantize_dynamic, quantize_static)
from onnxruntime.quantization.shape_inference import quant_pre_process

OPSET = 17
METHODS = {"minmax": CalibrationMethod.MinMax, "entropy": CalibrationMethod.Entropy, "percentile": CalibrationMethod.Percentile}


class Feeds(CalibrationDataReader):
    """Sample by sample; once round again where more are asked for than there are, so that memory can be seen to stay as it is."""

    def __init__(self, path, samples=None):
        # Mapped, not read: the archives are not compressed, but NumPy maps single arrays only.
        self.archive = np.load(path)
        self.arrays = {name: self.archive[name] for name in self.archive.files}
        self.rows = len(next(iter(self.arrays.values())))
        self.samples = self.rows if samples is None else samples
        self.at = 0

    def get_next(self):
        if self.at == self.samples:
            return None
        row = self.at % self.rows
        self.at += 1
        return {name: array[row] for name, array in self.arrays.items()}


def constants_to_initializers(graph):
    """A kindness: it skips weights in Constant nodes, or fails on them."""
    for node in [node for node in graph.node if node.op_type == "Constant" and node.attribute[0].name == "value"]:
        tensor = node.attribute[0].t
        tensor.name = node.output[0]
        graph.initializer.append(tensor)
        graph.node.remove(node)


def convert(source, target):
    model = onnx.load(source)
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset != OPSET:
        model = onnx.version_converter.convert_version(model, OPSET)
    constants_to_initializers(model.graph)
    onnx.save(model, target)
    # Symbolic shapes would need sympy, and these models have few.
    quant_pre_process(target, f"{target}.prepared", skip_symbolic_shape=True)
    os.replace(f"{target}.prepared", target)
    onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    return {"from": opset}


def quantize(source, target, recipe, feeds, samples=None):
    kind, *rest = recipe.split("-")
    per_channel = rest[-1:] == ["channel"]
    if kind == "dynamic":
        quantize_dynamic(source, target, per_channel=per_channel)
    else:
        quantize_static(
            source, target, Feeds(feeds, samples), quant_format=QuantFormat.QDQ, per_channel=per_channel, calibrate_method=METHODS[rest[0]])
    onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    return {}


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    numbers = [int(argument) if argument.isdigit() else argument for argument in arguments]
    answer = {"convert": convert, "quantize": quantize}[command](*numbers)
    with open("/proc/self/status") as status:
        peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
    print(json.dumps({**answer, "peakBytes": int(peak) * 1024}))
