"""
A TensorFlow.js graph model in float64, by TensorFlow: `double_graph.py MODEL.json FEEDS.npz PREFIX OUTPUT…` computes the named nodes, and
writes PREFIX.parity.npz as test/fixtures/conversion/record.py does.
"""
import json
import os
import sys
from pathlib import Path

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow as tf
from google.protobuf import json_format

source, feeds, prefix, *names = sys.argv[1:]
document = json.loads(Path(source).read_text())
[group] = document["weightsManifest"]
content = b"".join(Path(source).with_name(path).read_bytes() for path in group["paths"])
weights, at = {}, 0
for weight in group["weights"]:
    if "quantization" in weight:
        raise SystemExit("quantized weights are not read here")
    dtype = {"float32": np.float32, "int32": np.int32}[weight["dtype"]]
    count = int(np.prod(weight["shape"], dtype=np.int64))
    weights[weight["name"]] = np.frombuffer(content, dtype, count, at).reshape(weight["shape"])
    at += 4 * count


def doubled(value):
    """Attributes with each float type widened."""
    if isinstance(value, dict):
        return {key: doubled(one) for key, one in value.items()}
    if isinstance(value, list):
        return [doubled(one) for one in value]
    return "DT_DOUBLE" if value == "DT_FLOAT" else value


graph = tf.compat.v1.GraphDef()
for node in document["modelTopology"]["node"]:
    constant = node["op"] == "Const"
    attributes = {name: value for name, value in node.get("attr", {}).items() if not (constant and name == "value")}
    each = json_format.ParseDict({**node, "attr": doubled(attributes)}, graph.node.add(), ignore_unknown_fields=True)
    if each.op == "_FusedConv2D" and "TArgs" not in each.attr:
        # Newer than the file.
        each.attr["TArgs"].list.type.extend([tf.double.as_datatype_enum] * each.attr["num_args"].i)
    if constant:
        array = weights[node["name"]]
        each.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array.astype(np.float64) if array.dtype == np.float32 else array))
with tf.Graph().as_default() as built, tf.compat.v1.Session(graph=built) as session:
    tf.import_graph_def(graph, name="")
    given = {f"{name}:0": array.astype(np.float64) for name, array in np.load(feeds).items()}
    results = session.run([f"{name}:0" for name in names], given)
np.savez(f"{prefix}.parity.npz", **{f"outputs/{name}": result for name, result in zip(names, results)})
