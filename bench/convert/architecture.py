"""
One network of keras.applications with random weights, in every format, with what each source computes: `architecture.py NAME FOLDER` writes
model.keras, model.h5, saved_model/, model.tflite, model.parity.npz with model.tolerances.json, and facts.json.

Normalizations get the statistics of a training pass, so that outputs depend on inputs; what TensorFlow's kernels err by in float32 is
measured against the same network in float64, and sets how far a conversion may stray.
"""
import json
import os
import shutil
import sys
from pathlib import Path

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np
import tensorflow as tf

sys.path.insert(0, str(Path(__file__).parents[2] / "test/fixtures/conversion"))
from record import record  # noqa: E402

SAMPLES = 3
CLASSES = 1000
# Networks that rescale pictures of 0 to 255 themselves; the others take -1 to 1.
PIXELS = ("MobileNetV3Small", "MobileNetV3Large", "EfficientNetB0", "EfficientNetV2B0", "ConvNeXtTiny")


def pictures(shape, generator, count):
    """Smooth pictures with a little noise, of different brightness and contrast, -1 to 1."""
    coarse = generator.uniform(-1, 1, (count, 7, 7, shape[-1])).astype(np.float32)
    smooth = np.asarray(tf.image.resize(coarse, shape[:2], "bicubic"))
    contrast = np.linspace(0.4, 1, count, dtype=np.float32)[:, None, None, None]
    return np.clip(contrast * smooth + generator.normal(0, 0.1, smooth.shape), -1, 1).astype(np.float32)


def spread(model, generator, inputs):
    """Weights as a training leaves them: statistics of the data, scales and offsets that differ by channel."""
    normalizations = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in normalizations:
        # Inception's have no scale.
        if layer.gamma is not None:
            layer.gamma.assign(generator.uniform(0.7, 1.3, layer.gamma.shape))
        layer.beta.assign(generator.normal(0, 0.2, layer.beta.shape))
    for layer in model.layers:
        if hasattr(layer, "gamma") and type(layer).__name__ == "LayerScale":
            layer.gamma.assign(generator.uniform(0.1, 0.5, layer.gamma.shape))
    momenta = [layer.momentum for layer in normalizations]
    for layer in normalizations:
        layer.momentum = 0.0
    model(inputs, training=True)
    for layer, momentum in zip(normalizations, momenta):
        layer.momentum = momentum
        # A batch as small as this has channels that hardly vary.
        layer.moving_variance.assign(np.maximum(layer.moving_variance, 0.05 * np.mean(layer.moving_variance)))


def interpreted(path, inputs):
    """By TensorFlow Lite's own kernels, without the delegates that compute in another order."""
    kind = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = tf.lite.Interpreter(str(path), experimental_op_resolver_type=kind, num_threads=2)
    [entry], [end] = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.allocate_tensors()
    results = []
    for picture in inputs:
        interpreter.set_tensor(entry["index"], picture[None])
        interpreter.invoke()
        results.append(interpreter.get_tensor(end["index"]))
    return np.concatenate(results)


def main(name, folder):
    folder = Path(folder)
    generator = np.random.default_rng(len(name))
    keras.utils.set_random_seed(len(name))
    size = 299 if name in ("InceptionV3", "Xception") else 224
    shape = (size, size, 3)

    def network():
        constructor = getattr(keras.applications, name)
        return constructor(input_shape=shape, weights=None, classifier_activation=None, classes=CLASSES)

    model = network()
    scaled = (lambda x: 127.5 * (x + 1)) if name in PIXELS else (lambda x: x)
    spread(model, generator, scaled(pictures(shape, generator, 4)))
    inputs = scaled(pictures(shape, generator, SAMPLES)).astype(np.float32)

    model.save(folder / "model.keras")
    model.save(folder / "model.h5")
    model.export(folder / "saved_model", verbose=False)
    # Of one picture: its kernels want sizes that are known.
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(model.inputs, model.outputs))
    (folder / "model.tflite").write_bytes(converter.convert())

    single = np.asarray(model(inputs, training=False))
    lite = interpreted(folder / "model.tflite", inputs)
    weights = model.get_weights()
    keras.config.set_floatx("float64")
    exact = network()
    exact.set_weights([weight.astype(np.float64) for weight in weights])
    double = np.asarray(exact(inputs.astype(np.float64), training=False))

    scale = np.max(np.abs(double))
    # The least that two pictures differ by, as the outputs' tolerance is measured: a test on outputs that do not could not fail.
    differences = [np.max(np.abs(double[a] - double[b])) / scale for a in range(SAMPLES) for b in range(a)]
    outputs = {"keras": single, "tflite": lite}
    record(folder / "model", {"picture": inputs}, outputs, doubles=dict.fromkeys(outputs, double))
    facts = {
        "spread": float(min(differences)),
        # Those in nested models too.
        "layerNormalizations": sum(isinstance(layer, keras.layers.LayerNormalization) for layer in model._flatten_layers()),
    }
    (folder / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    target = Path(sys.argv[2])
    shutil.rmtree(f"{target}.unfinished", ignore_errors=True)
    Path(f"{target}.unfinished").mkdir(parents=True)
    main(sys.argv[1], f"{target}.unfinished")
    os.rename(f"{target}.unfinished", target)
