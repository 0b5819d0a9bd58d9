"""What many tests stand on: the real files if they are there, and a cache that is nobody's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


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
