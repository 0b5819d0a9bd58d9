"""Export: one file with the run's predictions and its metadata."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from facepoints import load
from facepoints.data.dataset import LabeledFaces
from facepoints.errors import BadChoice, BadRun
from facepoints.evaluation.trained_run import open_run
from facepoints.exporting.onnx_file import TOLERANCE, compare, export_run, exported, save_graph
from facepoints.exporting.quantization import decoding
from facepoints.inference.keypoint_network import METADATA
from facepoints.keypoints import FIFTEEN, KeypointSet
from facepoints.models.model import Model
from facepoints.models.networks import Size

METADATA_OF_TEST = {
    "format": 1,
    "keypoints": FIFTEEN.names,
    "mean_shape": [[[0, 0]] * 15] * 2,
    "mean_error": [[1] * 15] * 2,
    "label_offset": [[[0, 0]] * 15] * 2,
}


@pytest.fixture(scope="module")
def file(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny run as a file."""
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    export_run(tiny_run, path)
    return path


def test_the_file_equals_the_run(file: Path, tiny_run: Path, few_faces: LabeledFaces) -> None:
    points, error = load(file).points(few_faces.faces, few_faces.source)
    expected = open_run(tiny_run).model.predict(few_faces.faces, few_faces.source)
    np.testing.assert_allclose(points, expected, atol=TOLERANCE)
    assert (error > 0).all()


def test_metadata_describes_the_run(file: Path, tiny_run: Path) -> None:
    facts = load(file).network.facts
    scores = json.loads((tiny_run / "scores.json").read_text())
    assert facts.keypoints == FIFTEEN
    assert facts.metadata["recipe"]["name"] == "tiny"
    assert facts.metadata["score"]["rmse"] == scores["rmse"]
    assert {"network", "license", "data", "mirror", "precision"} <= set(facts.metadata)
    nose = scores["by_keypoint"]["nose_tip"]["rmse_by_source"]
    np.testing.assert_allclose(facts.mean_error[:, 10], [nose["A"], nose["B"]], atol=1e-4)
    # where source B never labels a keypoint, the value of both sources is used
    assert facts.mean_error[1, 11] == pytest.approx(scores["by_keypoint"]["mouth_left_corner"]["rmse"], abs=1e-4)


def test_no_path_of_this_machine_is_in_the_file(file: Path) -> None:
    content = file.read_bytes()
    for word in (str(Path.home()), str(Path(__file__).parents[2]), "site-packages"):
        assert word.encode() not in content
    assert not file.with_suffix(".onnx.data").exists()


def test_inputs_and_outputs_have_the_documented_types(file: Path) -> None:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    inputs = {one.name: (one.type, one.shape) for one in session.get_inputs()}
    assert inputs["faces"] == ("tensor(uint8)", [inputs["faces"][1][0], 96, 96])
    assert inputs["source"][0] == "tensor(int64)"
    assert isinstance(inputs["faces"][1][0], str)  # any number of faces
    assert session.get_outputs()[0].name == "points"


@pytest.mark.parametrize("network", ["dense", "leaky"])
def test_any_network_becomes_a_file(network: str, few_faces: LabeledFaces, tmp_path: Path) -> None:
    model = Model(network, FIFTEEN, Size(width=4, dense_units=16), {}).eval()
    save_graph(model, METADATA_OF_TEST, tmp_path / "model.onnx")
    check = compare(model, tmp_path / "model.onnx", few_faces.faces[:5])
    assert check.points <= TOLERANCE


def test_a_file_that_differs_is_refused(file: Path, few_faces: LabeledFaces, tiny_run: Path) -> None:
    model = open_run(tiny_run).model
    model.label_offset.data += 0.01
    with pytest.raises(BadRun, match=r"differs from its run by 0.01 px on 5 real faces"):
        compare(model, file, few_faces.faces[:5])


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_reduced_precision_costs_little(
    precision: str, tiny_run: Path, few_faces: LabeledFaces, file: Path, tmp_path: Path
) -> None:
    made = export_run(tiny_run, tmp_path / "small.onnx", precision=precision, data=few_faces)
    assert made.check.kind == "real"
    assert made.full is not None
    assert made.reduced is not None
    assert made.full.rmse is not None
    assert made.reduced.rmse == pytest.approx(made.full.rmse, rel=0.05)
    small = load(tmp_path / "small.onnx")
    assert small.network.facts.metadata["precision"] == precision
    points, _ = small.points(few_faces.faces)
    assert 0 < np.abs(points - load(file).points(few_faces.faces)[0]).max() < 2


def test_decoding_is_the_last_layers_with_weights_and_what_follows(file: Path) -> None:
    graph = onnx.load(file).graph
    kept = decoding(graph)
    weighted = [node.name for node in graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]
    assert graph.node[-1].name in kept
    assert weighted[0] not in kept
    assert 1 <= len(kept & set(weighted)) <= 2  # heatmaps and offset


@pytest.mark.parametrize(("precision", "message"), [("int8", "give --data"), ("fp61", "did you mean 'fp16'")])
def test_an_invalid_precision_is_refused(tiny_run: Path, tmp_path: Path, precision: str, message: str) -> None:
    with pytest.raises(BadChoice, match=message):
        export_run(tiny_run, tmp_path / "x.onnx", precision=precision)
    assert not (tmp_path / "x.onnx").exists()


def test_a_run_that_is_not_complete_is_refused(tiny_run: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_run, tmp_path / "run")
    (tmp_path / "run" / "scores.json").unlink()
    with pytest.raises(BadRun, match=r"scores.json"):
        export_run(tmp_path / "run", tmp_path / "x.onnx")


def test_a_run_is_exported_once(tiny_run: Path, file: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_run, tmp_path / "run")
    shutil.copyfile(file, tmp_path / "run" / "model.onnx")
    before = file.read_bytes()
    assert exported(tmp_path / "run").read_bytes() == before
    (tmp_path / "run" / "model.safetensors").write_bytes(b"newer, and damaged")
    with pytest.raises(BadRun, match="damaged"):
        exported(tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "made by a newer facepoints"),
        ({"mean_shape": [1, 2]}, "its metadata is damaged"),
        ({"keypoints": []}, "its metadata is damaged"),
        (None, "not a keypoint network of facepoints"),
    ],
)
def test_a_file_of_another_program_is_refused(
    file: Path, tmp_path: Path, change: dict[str, object] | None, message: str
) -> None:
    proto = onnx.load(file)
    (entry,) = [one for one in proto.metadata_props if one.key == METADATA]
    entry.value = json.dumps(json.loads(entry.value) | (change or {}))
    if change is None:
        del proto.metadata_props[:]
    onnx.save(proto, tmp_path / "other.onnx")
    with pytest.raises(BadRun, match=message):
        load(tmp_path / "other.onnx")


def test_other_keypoint_sets_can_be_exported(few_faces: LabeledFaces, tmp_path: Path) -> None:
    own = KeypointSet(("nose_tip", "tail"))
    model = Model("dense", own, Size(dense_units=8), {}).eval()
    metadata = METADATA_OF_TEST | {
        "keypoints": own.names,
        "mean_shape": [[[48, 50], [90, 90]]] * 2,
        "mean_error": [[1, 2]] * 2,
        "label_offset": [[[0, 0]] * 2] * 2,
    }
    save_graph(model, metadata, tmp_path / "own.onnx")
    points, error = load(tmp_path / "own.onnx").points(few_faces.faces[:3])
    assert points.shape == (3, 2, 2)
    np.testing.assert_array_equal(error, [[1, 2]] * 3)
