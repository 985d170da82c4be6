"""Trains the example's classifier of Fashion-MNIST with Keras, and draws the pictures that it is measured on. Nobody needs this to use it:
what it writes is committed.

    TF_ENABLE_ONEDNN_OPTS=0 python train.py [EPOCHS]

Versions: tensorflow-cpu 2.21.0, keras 3.15.1, numpy 2.4.6, pillow 13.0.0; Python 3.11. Data: Debian's dataset-fashion-mnist (MIT). With fixed
seeds; still, another machine's rounding makes other weights.

Writes beside itself fashion.keras, parity.npz (what Keras computes of 16 pictures) and samples/{calibration,evaluation,holdout}/<class>/.
"""
import gzip
import os
import shutil
import sys
import zipfile

import keras
import numpy as np
from keras import layers
from PIL import Image

FOLDER = os.path.dirname(os.path.abspath(__file__))
DATA = "/usr/share/datasets/fashion-mnist"
# The data set calls the first "T-shirt/top"; names of classes are names of folders here.
CLASSES = ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
# Pictures of each class.
SETS = {"calibration": ("train", 10), "evaluation": ("t10k", 15), "holdout": ("t10k", 35)}


def read(name):
    with gzip.open(f"{DATA}/{name}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28, 1)
    with gzip.open(f"{DATA}/{name}-labels-idx1-ubyte.gz") as file:
        return images, np.frombuffer(file.read(), np.uint8, offset=8)


def inverted_residual(x, channels, stride, expansion, name):
    """MobileNetV2's block: widen, filter each channel by itself, narrow, and add where the shape stays."""
    entered, wide = x, x.shape[-1] * expansion
    for part, layer in [
        ("expand", layers.Conv2D(wide, 1, use_bias=False, name=f"{name}_expand")),
        ("depthwise", layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False, name=f"{name}_depthwise")),
    ]:
        x = layers.BatchNormalization(name=f"{name}_{part}_norm")(layer(x))
        x = layers.ReLU(6.0, name=f"{name}_{part}_relu")(x)
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project")(x)
    x = layers.BatchNormalization(name=f"{name}_project_norm")(x)
    return layers.Add(name=f"{name}_add")([entered, x]) if stride == 1 and entered.shape[-1] == channels else x


def network():
    image = keras.Input((28, 28, 1), name="image")
    x = layers.Rescaling(1 / 127.5, -1, name="rescale")(image)
    x = layers.Conv2D(24, 3, padding="same", use_bias=False, name="stem")(x)
    x = layers.ReLU(6.0, name="stem_relu")(layers.BatchNormalization(name="stem_norm")(x))
    for number, (channels, stride) in enumerate([(32, 2), (32, 1), (48, 2), (48, 1), (48, 1), (64, 1)], 1):
        x = inverted_residual(x, channels, stride, 4, f"block{number}")
    x = layers.Conv2D(192, 1, use_bias=False, name="head")(x)
    x = layers.ReLU(6.0, name="head_relu")(layers.BatchNormalization(name="head_norm")(x))
    x = layers.Dropout(0.2, name="dropout")(layers.GlobalAveragePooling2D(name="pool")(x))
    return keras.Model(image, layers.Dense(10, name="scores")(x), name="fashion")


def flipped(images, rng):
    images = images.copy()
    chosen = rng.random(len(images)) < 0.5
    images[chosen] = images[chosen, :, ::-1]
    return images


def train(model, epochs):
    images, labels = read("train")
    tested = read("t10k")
    steps = epochs * -(-len(images) // 128)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    rng = np.random.default_rng(1)
    for epoch in range(epochs):
        model.fit(flipped(images, rng).astype("float32"), labels, batch_size=128, verbose=2, initial_epoch=epoch, epochs=epoch + 1)
    print("accuracy on the 10,000 pictures of the test set:", model.evaluate(tested[0].astype("float32"), tested[1], verbose=0)[1])


def write_pictures():
    shutil.rmtree(f"{FOLDER}/samples", ignore_errors=True)
    rng = np.random.default_rng(2)
    taken = {}
    for folder, (source, count) in SETS.items():
        images, labels = read(source)
        for label, name in enumerate(CLASSES):
            free = [index for index in np.flatnonzero(labels == label) if (source, index) not in taken]
            target = f"{FOLDER}/samples/{folder}/{name}"
            os.makedirs(target)
            for index in sorted(rng.choice(free, count, replace=False)):
                taken[source, index] = folder
                Image.fromarray(images[index, :, :, 0]).save(f"{target}/{index:05}.png", optimize=True)


def write_parity(model):
    images = read("t10k")[0][:16].astype("float32")
    arrays = {"inputs/image": images, "outputs/scores": model.predict(images, verbose=0)}
    with zipfile.ZipFile(f"{FOLDER}/parity.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy", (2026, 1, 1, 0, 0, 0)), "w") as file:
                np.lib.format.write_array(file, value)


if __name__ == "__main__":
    keras.utils.set_random_seed(1)
    classifier = network()
    classifier.summary(line_length=90)
    train(classifier, int(sys.argv[1]) if len(sys.argv) > 1 else 12)
    # Without the optimizer's state.
    keras.Model(classifier.inputs, classifier.outputs, name="fashion").save(f"{FOLDER}/fashion.keras")
    write_parity(classifier)
    write_pictures()
