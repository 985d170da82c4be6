"""
The example's classifier, up to its logits, as a full-integer TensorFlow Lite model, with what TensorFlow Lite's reference kernels answer to
its test pictures: `quantized_network.py MODELS/fashion FOLDER` writes model.tflite and model.parity.npz.
"""
import os
import sys
from pathlib import Path

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np
import tensorflow as tf
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2] / "test/fixtures/conversion"))
from record import record  # noqa: E402

source, folder = (Path(argument) for argument in sys.argv[1:])
folder.mkdir(parents=True, exist_ok=True)


def pictures(*sets):
    paths = [path for name in sets for path in sorted((source / "samples" / name).glob("*/*.png"))]
    return np.stack([np.asarray(Image.open(path), np.float32)[:, :, None] for path in paths])


trained = keras.models.load_model(source / "model.keras")
scores = trained.layers[-1]
logits = keras.layers.Dense(scores.units, name="logits")
model = keras.Model(trained.inputs, logits(scores.input))
logits.set_weights(scores.get_weights())
samples = pictures("calibration")
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = lambda: ([sample[None]] for sample in samples)
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = converter.inference_output_type = tf.int8
(folder / "model.tflite").write_bytes(converter.convert())

interpreter = tf.lite.Interpreter(
    str(folder / "model.tflite"), experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF)
[entry], [end] = interpreter.get_input_details(), interpreter.get_output_details()
interpreter.allocate_tensors()
scale, zero = entry["quantization"]
inputs = np.clip(np.round(pictures("evaluation", "holdout") / scale) + zero, -128, 127).astype(np.int8)
outputs = []
for picture in inputs:
    interpreter.set_tensor(entry["index"], picture[None])
    interpreter.invoke()
    outputs.append(interpreter.get_tensor(end["index"]))
record(folder / "model", {"picture": inputs}, {"logits": np.concatenate(outputs)})
