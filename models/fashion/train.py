"""
Trains the classifier on Fashion-MNIST and writes model.keras, parity.npz and samples/ beside itself. TensorFlow is needed here only.

    python3 -m venv train && train/bin/pip install -r requirements.txt
    train/bin/python train.py [--data /usr/share/datasets/fashion-mnist] [--epochs 5]

The data is Debian's package dataset-fashion-mnist (MIT): 60,000 pictures to train with, of which a few calibrate; the others come from
its 10,000 test pictures, that no training saw. The seeds are fixed; another CPU, or another order of threads, rounds otherwise.
"""
import argparse
import gzip
import os
import zipfile
from pathlib import Path

# TensorFlow dies of SIGFPE on some virtual machines with it.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import keras
import numpy as np
from keras import layers
from PIL import Image

# Folders are named after them: no '/', as in the data's own "T-shirt/top".
CLASSES = ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
SEED = 6
STEM, EXPANSION, HEAD = 24, 4, 192
# Channels and stride.
BLOCKS = [(32, 1), (32, 1), (48, 2), (48, 1), (48, 1), (64, 1)]
# Of each class: a set, where its pictures come from, and how many.
SAMPLES = [("calibration", "train", 10), ("evaluation", "t10k", 15), ("holdout", "t10k", 35)]
PARITY_SAMPLES = 16

here = Path(__file__).parent


def read(folder, name):
    with gzip.open(Path(folder, f"{name}-labels-idx1-ubyte.gz")) as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    with gzip.open(Path(folder, f"{name}-images-idx3-ubyte.gz")) as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28, 1)
    return pixels, labels


def build():
    """MobileNetV2's inverted residuals, for pictures of 28 pixels, 0 to 255."""

    def convolution(x, name, channels, kernel=1, strides=1, relu=True):
        options = dict(strides=strides, padding="same", use_bias=False, name=name)
        if channels is None:
            x = layers.DepthwiseConv2D(kernel, **options)(x)
        else:
            x = layers.Conv2D(channels, kernel, **options)(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
        return layers.ReLU(6.0, name=f"{name}_relu")(x) if relu else x

    picture = keras.Input((28, 28, 1), name="picture")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(picture)
    x = convolution(x, "stem", STEM, kernel=3, strides=2)
    for number, (channels, strides) in enumerate(BLOCKS, start=1):
        entered = x
        x = convolution(x, f"block{number}_expand", EXPANSION * x.shape[-1])
        x = convolution(x, f"block{number}_depthwise", None, kernel=3, strides=strides)
        x = convolution(x, f"block{number}_project", channels, relu=False)
        if strides == 1 and entered.shape[-1] == channels:
            x = layers.Add(name=f"block{number}_add")([entered, x])
    x = convolution(x, "head", HEAD)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    return keras.Model(picture, layers.Dense(len(CLASSES), activation="softmax", name="scores")(x), name="fashion")


def augmented(pixels, generator):
    """Each moved by up to two pixels, half of them mirrored."""
    padded = np.pad(pixels, ((0, 0), (2, 2), (2, 2), (0, 0)))
    result = np.empty_like(pixels)
    for index, (down, right, mirrored) in enumerate(generator.integers(0, (5, 5, 2), (len(pixels), 3))):
        cut = padded[index, down:down + 28, right:right + 28]
        result[index] = cut[:, ::-1] if mirrored else cut
    return result


def train(model, pixels, labels, epochs):
    generator = np.random.default_rng(SEED)
    batch = 128
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * (len(pixels) // batch))
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-3)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    for epoch in range(epochs):
        print(f"epoch {epoch + 1} of {epochs}", flush=True)
        order = generator.permutation(len(pixels))[:len(pixels) // batch * batch]
        model.fit(augmented(pixels[order], generator).astype(np.float32), labels[order], batch, shuffle=False, verbose=2)


def write_samples(pixels, labels):
    """PNG files in a folder per class; the test pictures of one set follow on those of the set before."""
    begin = {}
    for role, source, count in SAMPLES:
        for index, name in enumerate(CLASSES):
            folder = here / "samples" / role / name
            folder.mkdir(parents=True, exist_ok=True)
            start = begin.get((source, index), 0)
            begin[(source, index)] = start + count
            for number in np.flatnonzero(labels[source] == index)[start:start + count]:
                Image.fromarray(pixels[source][number, :, :, 0]).save(folder / f"{number:05}.png", optimize=True)


def write_parity(model, pixels):
    picture = pixels[-PARITY_SAMPLES:].astype(np.float32)
    arrays = {"inputs/picture": picture, "outputs/scores": np.asarray(model(picture, training=False))}
    with zipfile.ZipFile(here / "samples/parity.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in arrays.items():
            # A fixed date: the same arrays make the same bytes.
            with archive.open(zipfile.ZipInfo(f"{name}.npy", (2026, 1, 1, 0, 0, 0)), "w") as file:
                np.lib.format.write_array(file, value)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--epochs", type=int, default=5)
    arguments = parser.parse_args()
    keras.utils.set_random_seed(SEED)
    pixels, labels = {}, {}
    for source in ("train", "t10k"):
        pixels[source], labels[source] = read(arguments.data, source)
    model = build()
    print(f"{model.count_params()} parameters", flush=True)
    train(model, pixels["train"], labels["train"], arguments.epochs)
    write_samples(pixels, labels)
    write_parity(model, pixels["t10k"])
    # Without the optimizer, that only a further training would need.
    trained = keras.Model(model.inputs, model.outputs, name=model.name)
    trained.save(here / "model.keras")
    scores = trained.predict(pixels["t10k"].astype(np.float32), batch_size=500, verbose=0)
    print(f"accuracy on the 10,000 test pictures: {np.mean(np.argmax(scores, 1) == labels['t10k'])}")
