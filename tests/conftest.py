"""Shared fixtures: the real files if present, small data sets, and a cache of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from facepoints.data.dataset import LabeledFaces
from facepoints.data.synthetic.faces import synthetic_training
from facepoints.training.builtin_recipes import find
from facepoints.training.recipe import Recipe

pytest_plugins = ("fixtures.injected", "fixtures.photos", "fixtures.predictors")

# Tiny networks gain nothing from a second thread, and on a busy machine the two wait for each other (twice the work).
# Set before anything imports torch; programs that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def competition_files() -> Path:
    """The folder with real faces: in FACEPOINTS_DATA, or in shared/data beside the repository."""
    data = Path(os.environ.get("FACEPOINTS_DATA", Path(__file__).parents[2] / "shared" / "data"))
    folder = data / "facial-keypoints-detection"
    if not folder.is_dir():
        pytest.skip("real data absent: set FACEPOINTS_DATA")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def small_files() -> Callable[[int], AbstractContextManager[None]]:
    """What stands in for a full disk: within it no file can grow beyond so many bytes."""
    resource = pytest.importorskip("resource")

    @contextmanager
    def limited(size: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


@pytest.fixture(scope="session")
def few_faces() -> LabeledFaces:
    """Sixty synthetic faces of both sources: a tiny recipe trains on them in a second."""
    return synthetic_training(60, seed=5)


@pytest.fixture(scope="session")
def synthetic() -> LabeledFaces:
    """450 synthetic faces: enough that injected faults among them are rare."""
    return synthetic_training(450, seed=11)


@pytest.fixture(scope="session")
def tiny() -> Recipe:
    """`cnn-masked` made tiny: everything that it does, at a tenth of a second per epoch."""
    return find("cnn-masked").replace(
        name="tiny", width=4, dropout=0.2, epochs=4, squared_epochs=1, batch_size=16, precision="32-true"
    )


@pytest.fixture(scope="session")
def tiny_run(few_faces: LabeledFaces, tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished run of `tiny` on `few_faces`: to be looked at, not to be changed."""
    from facepoints.training.fit import fit  # here, as torch takes seconds that other tests need not wait

    folder = tmp_path_factory.mktemp("runs") / "tiny"
    fit(tiny, few_faces, folder)
    return folder
