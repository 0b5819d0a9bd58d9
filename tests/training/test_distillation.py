"""A teacher's points go beside the labels, move with them, and are no news from faces that it must not know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from facepoints.data.dataset import LabeledFaces
from facepoints.data.split import Split
from facepoints.errors import BadChoice
from facepoints.keypoints import FIFTEEN, FOUR
from facepoints.models.checkpoint import load_model
from facepoints.models.model import Model
from facepoints.models.networks import Size
from facepoints.training.augmentation import Batch, move, to_images
from facepoints.training.distillation import DistillationTargets, prepare_targets
from facepoints.training.fit import fit
from facepoints.training.recipe import Recipe


@pytest.fixture(scope="module")
def teacher(tiny_run: Path) -> Model:
    return load_model(tiny_run / "model.safetensors")[0]


def test_targets_are_the_teacher_s_points_for_each_source(teacher: Model, few_faces: LabeledFaces) -> None:
    targets = prepare_targets(teacher, few_faces)
    assert targets.points.shape == (60, 30, 2)
    for source in (0, 1):
        said = teacher.predict(few_faces.faces, np.full(60, source), flip=True)
        np.testing.assert_array_equal(targets.points[:, 15 * source : 15 * source + 15], said)
    # source B labels four points only; for the others the teacher says what A would
    assert targets.known[:15].all()
    assert targets.known[15:].sum() == len(FOUR)


def test_targets_are_augmented_like_labels(few_faces: LabeledFaces) -> None:
    points, observed = (torch.from_numpy(np.array(a)) for a in (few_faces.points, few_faces.observed))
    source = torch.from_numpy(np.array(few_faces.source))
    batch = Batch(to_images(torch.from_numpy(np.array(few_faces.faces))), points, observed, source)
    # the labels themselves are taught, as either source's
    targets = DistillationTargets(points.repeat(1, 2, 1), torch.ones(30, dtype=torch.bool))
    offset = torch.randn(2, 15, 2, generator=torch.Generator().manual_seed(0))
    both = targets.append_to(batch, torch.arange(60), offset)
    torch.testing.assert_close(both.points[:, 15:30], points - offset[0])
    torch.testing.assert_close(both.points[:, 30:], points - offset[1])
    matrix = torch.tensor([[-1.0, 0, 95], [0, 1, 0]]).expand(60, 2, 3)
    mirrored = torch.ones(60, dtype=torch.bool)
    plain = targets.append_to(batch, torch.arange(60), torch.zeros(2, 15, 2))
    moved = move(plain, matrix, mirrored, DistillationTargets.keypoints(few_faces.keypoints))
    alone = move(batch, matrix, mirrored, few_faces.keypoints)
    for part in (slice(0, 15), slice(15, 30), slice(30, 45)):
        torch.testing.assert_close(moved.points[:, part], alone.points)
    torch.testing.assert_close(moved.observed[:, :15], alone.observed)


@pytest.fixture(scope="module")
def student(tiny: Recipe) -> Recipe:
    return tiny.replace(name="student", network="heatmap-wide", epochs=2)


def test_a_run_teaches(student: Recipe, tiny_run: Path, few_faces: LabeledFaces, tmp_path: Path) -> None:
    taught = student.replace(teacher=str(tiny_run))
    alone, with_teacher = fit(student, few_faces, tmp_path / "alone"), fit(taught, few_faces, tmp_path / "taught")
    assert alone.overall is not None
    assert with_teacher.overall is not None
    assert alone.overall.rmse != with_teacher.overall.rmse


def test_a_recipe_of_the_book_is_trained_first_on_the_same_rows(
    student: Recipe, tiny: Recipe, few_faces: LabeledFaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facepoints.training.fit.find", lambda name: tiny.replace(name=name))
    rows = Split(np.arange(10, 60), np.arange(10))
    taught = student.replace(teacher="cnn-masked", drop_label_issues="")
    fit(taught, few_faces, tmp_path / "run", rows=rows)
    teacher = (tmp_path / "run" / "teacher" / "run.json").read_text()
    own = (tmp_path / "run" / "run.json").read_text()

    def part(text: str) -> str:
        return text[text.index('"training_pictures"') : text.index('"machine"')]

    assert part(teacher) == part(own)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"teacher": "cnn-maskt"}, "no recipe 'cnn-maskt'; did you mean 'cnn-masked'"),
        ({"seed": 1}, "validation faces of this run"),
        ({"keypoints": FIFTEEN.names[:10]}, "other keypoints than this recipe"),
    ],
)
def test_a_teacher_that_is_none(
    changes: dict[str, object], message: str, student: Recipe, tiny_run: Path, few_faces: LabeledFaces, tmp_path: Path
) -> None:
    recipe = student.replace(**{"teacher": str(tiny_run), **changes})
    with pytest.raises(BadChoice, match=message):
        fit(recipe, few_faces, tmp_path / "run")
    assert not (tmp_path / "run" / "scores.json").exists()


def test_a_network_without_maps_is_no_teacher(few_faces: LabeledFaces) -> None:
    model = Model("plain", few_faces.keypoints, Size(width=2, dense_units=4), {})
    with pytest.raises(BadChoice, match="needs a network with heatmaps"):
        prepare_targets(model, few_faces)


def test_a_network_without_maps_is_no_student(
    student: Recipe, tiny_run: Path, few_faces: LabeledFaces, tmp_path: Path
) -> None:
    with pytest.raises(BadChoice, match="needs a network with heatmaps"):
        fit(student.replace(network="plain", teacher=str(tiny_run)), few_faces, tmp_path / "run")
