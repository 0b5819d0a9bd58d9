"""The network of cnn-leaky as notebooks build it in Keras; any Python with TensorFlow runs it.

python benchmarks/keras_leaky.py ROWS                    its speed on noise in faces per second, for training.py
python benchmarks/keras_leaky.py ROWS.npz EPOCHS OUT.npy  its points for validation faces after each epoch, for leaky.py
"""

from __future__ import annotations

import sys
import time

import numpy as np
from tensorflow import keras

layers = keras.layers


def build() -> keras.Model:
    """Conv 64 5x5, 128 4x4, 256 3x3, 512 2x2 without bias, dense 1024, 512, dropout, 30: 20,369,374 parameters."""
    model = keras.Sequential([keras.Input((96, 96, 1))])
    for filters, kernel in ((64, 5), (128, 4), (256, 3), (512, 2)):
        model.add(layers.Conv2D(filters, kernel, padding="same", use_bias=False))
        model.add(layers.LeakyReLU(negative_slope=0.1))
        model.add(layers.BatchNormalization())
        model.add(layers.MaxPool2D(2))
    model.add(layers.Flatten())
    model.add(layers.Dense(1024, activation="relu"))
    model.add(layers.Dense(512, activation="relu"))
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(30))
    model.compile(optimizer="adam", loss="mean_squared_error", metrics=["mae"])
    return model


def main() -> None:
    if len(sys.argv) > 2:
        learn(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    else:
        time_noise(int(sys.argv[1]))


def learn(rows: str, epochs: int, out: str) -> None:
    """Faces, filled points and validation faces in (float 0 to 1, pixels); points (epochs, validation rows, 30) out."""
    keras.utils.set_random_seed(0)
    data = np.load(rows)
    model, points = build(), []
    for _ in range(epochs):
        model.fit(data["faces"][..., None], data["points"], batch_size=32, epochs=1, verbose=0)
        points.append(model.predict(data["validation"][..., None], verbose=0))
    np.save(out, np.stack(points))


def time_noise(rows: int) -> None:
    """Print the faces per second of the better of two epochs."""
    rng = np.random.default_rng(0)
    faces = rng.random((rows, 96, 96, 1), np.float32)
    points = rng.uniform(10, 85, (rows, 30)).astype(np.float32)
    model, seconds = build(), []
    for _ in range(3):
        start = time.perf_counter()
        model.fit(faces, points, batch_size=32, epochs=1, verbose=0)
        seconds.append(time.perf_counter() - start)
    print(rows / min(seconds[1:]))  # the first epoch also builds the graph


if __name__ == "__main__":
    main()
