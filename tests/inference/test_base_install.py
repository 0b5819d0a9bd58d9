"""The base installation is small and contains no training dependencies."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

LARGEST = 450
"""MB on the disk."""


def add_package(name: str, sizes: dict[str, float]) -> None:
    """Put the size, MB, of a package and of all that it needs without extras into `sizes`."""
    name = re.sub(r"[-_.]+", "-", name).lower()
    if name in sizes:
        return
    try:
        package = distribution(name)
    except PackageNotFoundError:  # needed on other systems only
        return
    files = [Path(str(file.locate())) for file in package.files or []]
    sizes[name] = sum(file.stat().st_size for file in files if file.is_file()) / 1e6
    for requirement in package.requires or []:
        needed = re.match(r"[\w.-]+", requirement)
        if needed and "extra ==" not in requirement:
            add_package(needed[0], sizes)


def test_the_base_install_is_small_and_without_torch() -> None:
    sizes: dict[str, float] = {}
    add_package("facepoints", sizes)
    assert {"numpy", "onnxruntime", "opencv-python-headless", "pillow", "typer", "rich"} <= set(sizes)
    assert not {"torch", "matplotlib", "pandas", "lightning", "onnx"} & set(sizes)
    assert 100 < sum(sizes.values()) < LARGEST
