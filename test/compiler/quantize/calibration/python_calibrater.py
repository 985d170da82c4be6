"""Ranges as onnxruntime's calibraters choose them: reads a request on stdin, writes {value: [min, max]} on stdout.

Request: {"model": path, "samples": [[[input, npy path], …], …], "method": "minmax" | "entropy" | "percentile", "options": {…}}.
"""

import json
import resource
import sys
import time

import numpy
from onnxruntime.quantization import CalibrationMethod, create_calibrator
from onnxruntime.quantization.calibrate import CalibrationDataReader


class Reader(CalibrationDataReader):
    def __init__(self, samples):
        self.samples = iter(samples)

    def get_next(self):
        sample = next(self.samples, None)
        return None if sample is None else {name: numpy.load(path) for name, path in sample}


request = json.load(sys.stdin)
# The calibraters print their progress.
answer, sys.stdout = sys.stdout, sys.stderr
methods = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}
start = time.perf_counter()
calibrator = create_calibrator(
    request["model"],
    op_types_to_calibrate=None,
    augmented_model_path=request["augmented"],
    calibrate_method=methods[request["method"]],
    extra_options=request.get("options", {}),
)
calibrator.collect_data(Reader(request["samples"]))
data = calibrator.compute_data()
seconds = time.perf_counter() - start
ranges = {}
for name, tensor in data.items():
    lowest, highest = tensor.range_value
    ranges[name] = [float(numpy.min(lowest)), float(numpy.max(highest))]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
json.dump({"ranges": ranges, "seconds": seconds, "peakBytes": peak}, answer)
