"""The public API: its list is fixed, and every function works after all submodules have been imported."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import facepoints

PUBLIC = {
    *("Detector", "Face", "FacepointsError", "audit", "compare", "evaluate", "explore", "export", "load"),
    *("load_dataset", "submit", "train", "tune"),
}
TINY = {"width": 2, "dense_units": 4, "epochs": 1}


@pytest.fixture(autouse=True, scope="module")
def _every_submodule() -> None:
    """A submodule with the name of a public function would hide it once it is imported."""
    for module in pkgutil.walk_packages(facepoints.__path__, "facepoints."):
        importlib.import_module(module.name)


def test_the_list_is_this() -> None:
    assert set(facepoints.__all__) == PUBLIC
    assert len(facepoints.__all__) == len(PUBLIC)
    assert set(dir(facepoints)) >= PUBLIC
    for name in PUBLIC:
        assert callable(getattr(facepoints, name))
        assert getattr(facepoints, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = facepoints.nonsense


def test_importing_it_loads_nothing_heavy() -> None:
    code = "import facepoints, sys; print(sorted({'numpy', 'cv2', 'torch', 'onnxruntime', 'rich'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
