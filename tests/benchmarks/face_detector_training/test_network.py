"""The finder's network: maps at an eighth of the picture, the same for the same place wherever the picture begins."""

from __future__ import annotations

import torch

from face_detector_training.network import MAPS, STRIDE, FaceMap


def test_maps_have_a_cell_for_each_stride() -> None:
    model = FaceMap((4, 8, 8), 2).eval()
    with torch.inference_mode():
        maps = model(torch.rand(2, 1, 48, 80))
    assert maps.shape == (2, len(MAPS), 48 // STRIDE, 80 // STRIDE)
    assert maps.dtype == torch.float32


def test_a_moved_picture_has_moved_maps() -> None:
    torch.manual_seed(0)
    model = FaceMap((4, 8, 8), 1).eval()
    picture = torch.rand(1, 1, 192, 192)
    with torch.inference_mode():
        whole = model(picture)
        part = model(picture[:, :, STRIDE * 4 :, STRIDE * 2 :])
    torch.testing.assert_close(whole[:, :, 10:-6, 8:-6], part[:, :, 6:-6, 6:-6], atol=1e-5, rtol=1e-4)


def test_faces_are_rare_before_anything_is_learned() -> None:
    with torch.inference_mode():
        maps = FaceMap((4, 8, 8), 1).eval()(torch.rand(1, 1, 64, 64))
    assert torch.sigmoid(maps[:, 0]).max() < 0.3


def test_a_weight_is_a_byte_and_there_are_few() -> None:
    """So the file that ships stays well under 2 MB."""
    assert sum(p.numel() for p in FaceMap().parameters()) < 1_000_000
