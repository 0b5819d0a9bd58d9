"""The command line: help at once, mistakes in one line, and the whole path from files to a submission."""

from __future__ import annotations

import csv
import errno
import io
import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from facepoints.cli import demo
from facepoints.cli import main as cli
from facepoints.data.dataset import LabeledFaces
from facepoints.data.kaggle.competition import read_sample_submission
from facepoints.data.kaggle.writer import write_submission_faces, write_training
from facepoints.data.label_errors import LabelIssue, write_label_issues
from facepoints.data.synthetic.faces import synthetic_submission, synthetic_training
from facepoints.drawing import write_png
from facepoints.training.builtin_recipes import BUILTIN_RECIPES
from facepoints.training.recipe import Recipe, meanings, read_toml

COMMANDS = [command.callback.__name__ for command in cli.app.registered_commands if command.callback]

TINY = [f"--set={choice}" for choice in ("width=4", "epochs=2", "squared_epochs=1", "batch_size=16")]
"""What makes any recipe quick."""


class Answer(NamedTuple):
    code: int
    out: str
    err: str


Call = Callable[..., Answer]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """The program, as if its words had been typed."""

    def call(*words: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["facepoints", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        return Answer(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="module")
def data(few_faces: LabeledFaces, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small competition: sixty faces to learn from, eight to be asked about."""
    folder = tmp_path_factory.mktemp("data")
    write_training(few_faces, folder / "training.zip")
    write_submission_faces(synthetic_submission(8)[0], folder)
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that the program is called in."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# help

HELP = """
import sys
import sysconfig
from facepoints.cli.main import main
sys.argv = ["facepoints", *sys.argv[1:], "--help"]
try:
    main()
finally:
    heavy = {"torch", "lightning", "matplotlib", "cv2", "pandas", "onnx", "onnxruntime", "fastapi", "optuna"}
    print("loaded:", *sorted(heavy & set(sys.modules)))
"""


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_answers_without_anything_heavy(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELP, *command.split()], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    *text, loaded = done.stdout.strip().splitlines()
    assert loaded == "loaded:"
    words = "\n".join(text)
    assert f"facepoints {command}".strip() in words
    if command:
        callbacks = [c.callback for c in cli.app.registered_commands if c.callback is not None]
        description = next(callback.__doc__ for callback in callbacks if callback.__name__ == command)
        assert description is not None
        assert description.split(":")[0].split()[0] in words
    else:
        assert all(name in words for name in COMMANDS)


# mistakes


def damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def a_folder(here: Path, data: Path, **changes: bytes) -> Path:
    """A copy of the data in which some files have another content."""
    folder = here.parent / "broken"
    shutil.copytree(data, folder)
    for name, content in changes.items():
        stem, ending = name.rsplit("_", 1)
        (folder / f"{stem}.{ending}").write_bytes(content)
    return folder


def a_run(here: Path, tiny_run: Path, without: str = "", damage: str = "") -> Path:
    """A copy of a finished run, with a file less or a damaged one."""
    run = here.parent / "run"
    shutil.copytree(tiny_run, run)
    if without:
        (run / without).unlink()
    if damage:
        damaged(run / damage)
    return run


Words = Callable[[Path, Path, Path], list[object]]

MISTAKES: dict[str, tuple[Words, str]] = {
    "an unknown recipe": (lambda here, data, run: ["train", "cnn-maskd", "--data", data], "did you mean 'cnn-masked'?"),
    "an unknown recipe to show": (lambda here, data, run: ["recipes", "leaky"], "did you mean 'cnn-leaky'?"),
    "an absent recipe file": (lambda here, data, run: ["train", "my.toml", "--data", data], "my.toml: cannot be read"),
    "an unknown field": (
        lambda here, data, run: ["train", "cnn", "--data", data, "--set", "epoch=5"],
        "no field 'epoch'; did you mean 'epochs'?",
    ),
    "a wrong value": (
        lambda here, data, run: ["train", "cnn", "--data", data, "--set", "epochs=five"],
        "field 'epochs' is 'five', expected a whole number",
    ),
    "a value out of bounds": (
        lambda here, data, run: ["train", "cnn", "--data", data, "--set", "flip=2"],
        "field 'flip' is 2, expected 0 to 1",
    ),
    "an unknown field to vary": (
        lambda here, data, run: ["tune", "cnn", "--data", data, "--vary", "widht=8,16"],
        "no field 'widht'; did you mean 'width'?",
    ),
    "a database out of reach": (
        lambda here, data, run: ["tune", "cnn", "--data", data, "--storage", "sqlite:////nowhere/at/all/study.db"],
        "cannot be opened",
    ),
    "an unknown logger": (
        lambda here, data, run: ["train", "cnn", "--data", data, "--logger", "tensorbord"],
        "no logger 'tensorbord'; did you mean 'tensorboard'?",
    ),
    "no equals sign": (
        lambda here, data, run: ["train", "cnn", "--data", data, "--set", "epochs"],
        "--set epochs: expected field=value",
    ),
    "an unknown precision": (
        lambda here, data, run: ["train", "cnn", "--data", data, "--precision", "fp8"],
        "no precision 'fp8'",
    ),
    "an unknown network": (
        lambda here, data, run: ["train", "cnn", "--data", data, "--set", "network=resnet"],
        "no network 'resnet'",
    ),
    "an unknown keypoint": (
        lambda here, data, run: ["train", "cnn", "--data", data, "--set", "keypoints=nose"],
        "no keypoint 'nose'; did you mean 'nose_tip'?",
    ),
    "an unknown accelerator": (
        lambda here, data, run: ["train", "cnn", "--data", data, "--accelerator", "abacus"],
        "accelerator 'abacus'",
    ),
    "no data to train on": (
        lambda here, data, run: ["train", "cnn", "--data", here / "nowhere"],
        "nowhere: there is no such file or folder",
    ),
    "an empty folder to train on": (lambda here, data, run: ["train", "cnn", "--data", here], "training.csv"),
    "a damaged zip": (
        lambda here, data, run: [
            "train",
            "cnn",
            "--data",
            a_folder(here, data, training_zip=(data / "training.zip").read_bytes()[:-500]),
        ],
        "training.zip",
    ),
    "a zip that is none": (
        lambda here, data, run: ["train", "cnn", "--data", a_folder(here, data, training_zip=b"PK but no zip")],
        "training.zip",
    ),
    "a broken row": (
        lambda here, data, run: [
            "train",
            "cnn",
            "--data",
            a_folder(here, data, training_csv=b"nose_tip_x,nose_tip_y,Image\n1,2,3 4 5\n"),
        ],
        "training.csv line 2: the image has 3 pixels, expected 9,216",
    ),
    "a finished run of another recipe": (
        lambda here, data, run: ["train", "cnn", "--data", data, "--run", run],
        "holds another recipe",
    ),
    "no run to evaluate": (
        lambda here, data, run: ["evaluate", here / "no-run", "--data", data],
        "no-run: no such file or folder",
    ),
    "a run without a model": (
        lambda here, data, run: ["evaluate", a_run(here, run, without="model.safetensors"), "--data", data],
        "model.safetensors: no such file",
    ),
    "a run without run.json": (
        lambda here, data, run: ["evaluate", a_run(here, run, without="run.json"), "--data", data],
        "run.json: absent or damaged",
    ),
    "a damaged model": (
        lambda here, data, run: ["evaluate", a_run(here, run, damage="model.safetensors"), "--data", data],
        "model.safetensors: damaged or not made by facepoints",
    ),
    "no data to evaluate on": (
        lambda here, data, run: ["evaluate", run, "--data", here / "nowhere"],
        "nowhere: there is no such file or folder",
    ),
    "an absent table of points": (
        lambda here, data, run: ["evaluate", here / "theirs.csv", "--data", data],
        "theirs.csv: no such file or folder",
    ),
    "an absent model file": (lambda here, data, run: ["evaluate", here / "m.onnx", "--data", data], "m.onnx: "),
    "rows of a run that is not there": (
        lambda here, data, run: ["evaluate", run, "--data", data, "--rows-of", here / "no-run"],
        "no-run: no such file or folder",
    ),
    "one model to compare": (lambda here, data, run: ["compare", run, "--data", data], "give two or more"),
    "a model twice": (lambda here, data, run: ["compare", run, run, "--data", data], "given twice"),
    "too few rows to compare on": (
        lambda here, data, run: ["compare", run, a_run(here, run), "--data", data],
        "labeled rows are left on which none of these models was trained, expected at least 30",
    ),
    "a change to trained models": (
        lambda here, data, run: ["compare", run, run, "--data", data, "--set", "epochs=5"],
        "--set changes a recipe that --seeds trains",
    ),
    "seeds of an unknown recipe": (
        lambda here, data, run: ["compare", "cnn", "cnn-flp", "--seeds", 2, "--data", data],
        "did you mean 'cnn-flip'?",
    ),
    "one seed": (lambda here, data, run: ["compare", "cnn", "dense", "--seeds", 1, "--data", data], "--seeds 1: "),
    "no run to submit": (
        lambda here, data, run: ["submit", here / "no-run", "--data", data],
        "no-run: no such file or folder",
    ),
    "a damaged model to submit": (
        lambda here, data, run: ["submit", a_run(here, run, damage="model.safetensors"), "--data", data],
        "model.safetensors: damaged or not made by facepoints",
    ),
    "a look-up table of other images": (
        lambda here, data, run: [
            "submit",
            run,
            "--data",
            a_folder(here, data, IdLookupTable_csv=b"RowId,ImageId,FeatureName,Location\n1,99,nose_tip_x,\n"),
        ],
        "IdLookupTable.csv line 2: ImageId 99 is not in the test file",
    ),
    "an ending that no table has": (
        lambda here, data, run: ["submit", run, "--data", data, "--out", "submission.txt"],
        "submission.txt: cannot tell the format",
    ),
    "an ending that no diagram has": (
        lambda here, data, run: ["recipes", "cnn", "--diagram", "cnn.jpg"],
        "cnn.jpg: expected a file name that ends in .svg or .png",
    ),
    "a file where the run should go": (
        lambda here, data, run: ["train", "cnn", "--data", data, "--run", data / "training.zip", *TINY],
        "training.zip/recipe.toml: cannot be written",
    ),
    "a file where the report should go": (
        lambda here, data, run: ["evaluate", run, "--data", data, "--out", data / "training.zip"],
        "cannot be written",
    ),
    "a demo without data": (lambda here, data, run: ["demo", "--data", here / "nowhere"], "there is no such file"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_one_line_and_writes_nothing(
    kind: str, call: Call, here: Path, data: Path, tiny_run: Path
) -> None:
    words, message = MISTAKES[kind]
    typed = words(here, data, tiny_run)
    before = files(here.parent), files(tiny_run), files(data)
    answer = call(*typed)
    assert answer.code == 2
    (line,) = answer.err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert "Traceback" not in answer.out
    assert (files(here.parent), files(tiny_run), files(data)) == before


@pytest.mark.parametrize(
    "words", [["fly"], ["train"], ["train", "cnn"], ["train", "cnn", "--data", "x", "--devices", "0"], ["submit", "a"]]
)
def test_words_that_no_command_has_exit_2_too(words: list[str], call: Call, here: Path) -> None:
    answer = call(*words)
    assert answer.code == 2
    assert "Traceback" not in answer.err
    assert answer.err
    assert files(here) == set()


def test_marks_in_a_name_are_shown_as_they_are(call: Call, here: Path) -> None:
    answer = call("train", "[red]cnn[/]", "--data", "synthetic")
    assert "no recipe '[red]cnn[/]'" in answer.err


WITHOUT_EXTRAS = """
import sys
import sysconfig
from facepoints.cli.main import main

for name in ("torch", "lightning", "matplotlib", "pandas", "safetensors", "tensorboard", "optuna", "onnx"):
    sys.modules[name] = None  # as if it were not installed
data, out = sys.argv[1:]
for words in (
    ["train", "cnn", "--data", data, "--run", out],
    ["evaluate", out, "--data", data],
    ["submit", out, "--data", data],
    ["audit", data, "--out", out],
    ["recipes", "cnn", "--diagram", out + ".png"],
    ["recipes"],
):
    sys.argv = ["facepoints", *words]
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    print("code", code, file=sys.stderr)
"""


def test_without_the_training_extra_each_command_says_what_to_install(here: Path, data: Path, tiny_run: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS, str(data), str(a_run(here, tiny_run))],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    *lines, last = done.stderr.splitlines()
    assert last == "code 0", done.stderr  # what needs nothing does its work
    assert len(lines) == 10, done.stderr
    for said, code in zip(lines[::2], lines[1::2], strict=True):
        assert said.startswith("error: this needs "), said
        assert said.endswith(", which is not installed. Run: pip install 'facepoints[train]'"), said
        assert code == "code 2"


def test_a_missing_module_of_ours_is_no_mistake_of_the_person(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        import facepoints.nonsense  # type: ignore[import-not-found]  # noqa: F401

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(ModuleNotFoundError, match="nonsense"):
        call()


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "error: No space left on device. "),
        (PermissionError(errno.EACCES, "Permission denied", "runs/[a]"), "error: runs/[a]: Permission denied. "),
    ],
)
def test_a_disk_that_refuses_is_one_line(
    error: OSError, line: str, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> None:
        raise error

    monkeypatch.setattr(cli, "app", refused)
    answer = call()
    assert answer.code == 2
    assert answer.err.startswith(line)
    error.errno = errno.EBADF  # that is nobody's disk
    with pytest.raises(OSError, match=r"denied|space"):
        call()


def test_a_path_with_brackets_is_shown_as_it_is(call: Call, here: Path, data: Path) -> None:
    run, bold = "runs/[a]", "runs/[bold]/[/]"
    for folder in (run, bold):
        trained = call("train", "cnn-masked", "--data", data, "--run", folder, *TINY, "--set", "precision=32-true")
        assert trained.code == 0, trained.err
        assert f"The run is in {folder}:" in trained.out
        again = call("train", "cnn-masked", "--data", data, "--run", folder, *TINY, "--set", "precision=32-true")
        assert again.err.startswith(f"note: {folder} is already trained")
    evaluation = call("evaluate", run, "--data", data, "--out", "[/]")
    assert "The report is [/]/evaluate.html" in evaluation.out
    assert "are in [b]x.csv" in call("submit", run, "--data", data, "--out", "[b]x.csv").out.replace("\n", " ")
    assert "The diagram is in [b].png" in call("recipes", "cnn", "--diagram", "[b].png").out


def test_corrections_overrule_the_list_of_suspects(call: Call, here: Path, data: Path) -> None:
    write_label_issues([LabelIssue(row, "mismatched", "", 0.9) for row in range(10)], here / "audit.csv")
    said = [{"row": row, "kind": "mismatched", "keypoint": "", "mark": "fine", "points": {}} for row in range(10)]
    (here / "fine.json").write_text(json.dumps({"format": 1, "corrections": said}))
    words = ["train", "cnn", "--data", data, *TINY, "--set", "squared_epochs=0", "--set", "epochs=1"]
    labels = []
    for run, more in (
        ("plain", []),
        ("dropped", ["--set", "drop_label_issues=audit.csv"]),
        ("corrected", ["--set", "drop_label_issues=audit.csv", "--corrections", "fine.json"]),
    ):
        assert call(*words, "--run", run, *more).code == 0
        labels.append(json.loads((here / run / "run.json").read_text())["training_labels"])
    assert labels[0] == labels[2] != labels[1]


# recipes


def test_the_book_lists_every_recipe(call: Call) -> None:
    answer = call("recipes")
    assert answer.code == 0
    lines = {line.split()[0] for line in answer.out.splitlines() if line.strip(" │┃")}
    assert set(BUILTIN_RECIPES) <= lines | {
        word.strip("│┃ ") for line in answer.out.splitlines() for word in line.split()
    }


def test_every_field_is_explained(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    answer = call("recipes", "--fields")
    assert answer.code == 0
    for field, (kind, _, meaning) in meanings().items():
        (line,) = [line for line in answer.out.splitlines() if f" {field} " in line.replace("│", " ")[: len(field) + 4]]
        assert kind in line
        assert meaning in line


def test_a_recipe_is_shown_with_its_layers_and_a_diagram(call: Call, here: Path) -> None:
    answer = call("recipes", "cnn-leaky", "--diagram", "net.png")
    assert answer.code == 0, answer.err
    assert "20,369,374" in answer.out
    assert all(count in answer.out for count in ("1,600", "131,072", "294,912", "524,288", "18,875,392", "15,390"))
    assert files(here) == {"net.png"}
    assert call("recipes", "cnn").code == 0
    assert files(here) == {"net.png"}


# conventions


def test_the_version_is_that_of_the_distribution(call: Call) -> None:
    assert call("--version").out == f"facepoints {version('facepoints')}\n"


def test_recipes_as_json(call: Call) -> None:
    assert json.loads(call("recipes", "--json").out) == {
        name: recipe.as_table() for name, (recipe, _) in BUILTIN_RECIPES.items()
    }
    assert json.loads(call("recipes", "--fields", "--json").out).keys() == meanings().keys()
    layers = json.loads(call("recipes", "cnn", "--json").out)["layers"]
    assert sum(layer["parameters"] for layer in layers) == 4_757_790


def test_results_as_json_keep_standard_output_clean(call: Call, here: Path, data: Path, tiny_run: Path) -> None:
    answer = call("evaluate", tiny_run, "--data", data, "--out", "report", "--json")
    assert json.loads(answer.out) == json.loads((here / "report" / "scores.json").read_text())
    write_png(here / "face.png", synthetic_training(1, seed=3).faces[0])
    answer = call("predict", "face.png", "--crops", "--json")
    (entry,) = json.loads(answer.out)
    assert len(entry["faces"][0]["points"]) == 15
    assert files(here) == {"face.png", *(name for name in files(here) if name.startswith("report/"))}


def test_quiet_prints_nothing_and_verbose_shows_the_traceback(call: Call, here: Path) -> None:
    assert call("--quiet", "recipes").out == ""
    assert call("recipes").out != ""
    answer = call("--verbose", "recipes", "nosuch")
    assert answer.code == 2
    assert "Traceback" in answer.err
    assert answer.err.splitlines()[-1].startswith("error: no recipe 'nosuch'")


def test_a_dry_run_writes_nothing(call: Call, here: Path, data: Path) -> None:
    answer = call("train", "cnn-masked", "--data", data, "--dry-run", "--epochs", 7, "--seed", 3, "--set", "width=4")
    assert answer.code == 0, answer.err
    numbers = dict(line.split(maxsplit=2)[::2] for line in answer.out.splitlines() if " rows " in line)
    assert int(numbers["training"].split()[-1]) + int(numbers["validation"].split()[-1]) == 60
    assert "for 7 epochs" in answer.out
    assert files(here) == set()


@pytest.mark.parametrize("words", [["compare", "one", "--data", "x"], ["export", "norun"]])
def test_arguments_are_checked_before_torch_is_imported(words: list[str], here: Path) -> None:
    code = "import sys; from facepoints.cli.main import main\ntry: main()\nfinally: assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: "), done.stderr


# the whole path


def test_from_files_to_a_submission(call: Call, here: Path, data: Path, few_faces: LabeledFaces) -> None:
    trained = call("train", "cnn-masked", "--data", data, "--run", "runs/one", "--precision", "32-true", *TINY)
    assert trained.code == 0, trained.err
    assert "epoch 2/2" in trained.out
    assert "RMSE" in trained.out
    run = here / "runs" / "one"
    assert {"model.safetensors", "scores.json", "curves.png", "recipe.toml"} <= files(run)
    assert any(name.startswith("tensorboard/") for name in files(run))
    recipe = read_toml(run / "recipe.toml")
    assert (recipe.name, recipe.width, recipe.epochs, recipe.precision) == ("cnn-masked", 4, 2, "32-true")

    before = files(here)
    again = call("train", "cnn-masked", "--data", data, "--run", run, "--precision", "32-true", *TINY)
    assert again.code == 0
    assert "already trained" in again.err
    assert files(here) == before

    evaluation = call("evaluate", run, "--data", data)
    assert evaluation.code == 0, evaluation.err
    report = json.loads((run / "evaluation" / "scores.json").read_text())
    assert report["rows"] == "validation"
    assert report["rmse"] == json.loads((run / "scores.json").read_text())["rmse"]
    assert call("evaluate", run, "--data", data, "--all-rows", "--flip", "--out", "all").code == 0
    lines = list(csv.DictReader(io.StringIO((here / "all" / "per_face.csv").read_text())))
    assert len(lines) == len(few_faces)

    submitted = call("submit", run, "--data", data, "--out", "answers.csv")
    assert submitted.code == 0, submitted.err
    rows, values = read_sample_submission(here / "answers.csv")
    np.testing.assert_array_equal(rows, synthetic_submission(8)[0].row_id)
    assert f"{len(rows):,} values for 8 images" in submitted.out.replace("\n", " ")
    call("submit", run, "--data", data, "--out", "answers.csv", "--no-flip")
    assert (read_sample_submission(here / "answers.csv")[1] != values).any()


def test_a_run_and_somebody_s_points_are_compared(call: Call, here: Path, tiny_run: Path) -> None:
    faces = synthetic_training(40, seed=9)
    write_training(faces, here / "new" / "training.csv")
    with (here / "theirs.csv").open("w") as table:
        print(*faces.keypoints.columns, sep=",", file=table)
        for points in faces.points + 1:
            print(*points.ravel(), sep=",", file=table)
    answer = call("compare", tiny_run, "theirs.csv", "--data", "new")
    assert answer.code == 0, answer.err
    assert "theirs.csv is best with 1.00 px" in answer.out
    assert files(here / "compare") == {"compare.html", "compare.json", "curves.png"}
    about = json.loads((here / "compare" / "compare.json").read_text())
    assert [model["name"] for model in about["models"]] == ["theirs.csv", "tiny"]
    assert about["models"][1]["ms_per_face"] > 0
    answer = call("evaluate", "theirs.csv", "--data", "new")
    assert answer.code == 0, answer.err
    assert "Scored: all 40 rows; the training data are unknown." in answer.out
    assert {"evaluate.html", "scores.json"} <= files(here / "theirs-evaluation")


def test_next_commands_name_the_same_data(call: Call, here: Path, data: Path, few_faces: LabeledFaces) -> None:
    said = {
        "format": 1,
        "corrections": [{"row": 3, "kind": "mismatched", "keypoint": "", "mark": "fine", "points": {}}],
    }
    (here / "said.json").write_text(json.dumps(said))
    words = ["--data", data, "--corrections", "said.json", "--skip-broken"]
    answer = call("train", "cnn", *words, "--run", "run", *TINY, "--set", "epochs=1")
    assert answer.code == 0, answer.err
    printed = " ".join(answer.out.split())
    assert f"facepoints evaluate run --data {data} --corrections said.json --skip-broken`" in printed
    evaluation = call("evaluate", "run", "--data", data)
    assert evaluation.code == 0, evaluation.err
    kept = len(json.loads((here / "run" / "run.json").read_text())["validation_rows"])
    assert f"Scored: {kept} validation rows; {len(few_faces) - kept} training rows left out" in evaluation.out


def test_a_recipe_of_one_s_own_is_trained_by_its_file(call: Call, here: Path, data: Path) -> None:
    own = Recipe(network="plain", width=2, dense_units=8, epochs=1, summary="my own")
    (here / "mine.toml").write_text(own.to_toml())
    answer = call("train", "mine.toml", "--data", data)
    assert answer.code == 0, answer.err
    assert read_toml(here / "runs" / "mine" / "recipe.toml") == own.replace(name="mine")


def test_rows_that_cannot_be_read_are_noted_and_left_out(call: Call, here: Path, few_faces: LabeledFaces) -> None:
    write_training(few_faces, here / "training.csv")
    lines = (here / "training.csv").read_bytes().splitlines()
    lines[3] += b" 1"
    (here / "training.csv").write_bytes(b"\n".join(lines))
    words = ["train", "cnn", "--data", here, "--run", "run", *TINY, "--set", "epochs=1"]
    assert call(*words).code == 2
    answer = call(*words, "--skip-broken")
    assert answer.code == 0, answer.err
    assert "note: training.csv line 4 skipped" in answer.err
    assert json.loads((here / "run" / "run.json").read_text())["data"]["rows"] == len(few_faces) - 1


def test_the_demo_makes_what_it_says(call: Call, here: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = BUILTIN_RECIPES["demo"][0].replace(width=4, epochs=1, squared_epochs=0, precision="32-true")
    monkeypatch.setitem(BUILTIN_RECIPES, "demo", (small, None))
    answer = call("demo", "--data", data, "--out", "made")
    assert answer.code == 0, answer.err
    promised = [line.split()[0] for line in answer.out.splitlines() if line.startswith("  made/")]
    assert len(promised) > 4
    assert set(promised) <= {f"made/{name}" for name in files(here / "made")}
    assert f"facepoints train cnn-masked --data {data} --run runs/cnn-masked\n" in answer.out


def test_the_demo_s_next_steps_are_this_very_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / "my env"))
    assert demo._program() == "facepoints"
    program = tmp_path / "my env" / "facepoints"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert demo._program() == f"'{program}'"
    monkeypatch.setenv("PATH", str(program.parent))
    assert demo._program() == "facepoints"


def test_a_search_leaves_a_recipe_that_can_be_trained(call: Call, here: Path, data: Path) -> None:
    space = ["--vary", "width=2,4", "--vary", "dropout", "--set", "dense_units=8"]
    searched = call("tune", "cnn-flip", "--data", data, "--trials", 2, "--epochs", 1, *space)
    assert searched.code == 0, searched.err
    assert "The best of 2 trials" in searched.out
    assert {"best.toml", "study.json", "study.html"} <= {path.name for path in Path("tune").iterdir()}
    answer = call("train", "tune/best.toml", "--data", data, "--run", "best", "--set", "epochs=1", "--logger", "csv")
    assert answer.code == 0, answer.err
    assert Path("best/csv/metrics.csv").exists()


def test_two_processes_train_one_run(here: Path, data: Path) -> None:
    words = ["train", "cnn-masked", "--data", str(data), "--run", "run", "--devices", "2", "--accelerator", "cpu"]
    program = Path(sys.executable).with_name("facepoints")  # the second process is started with the same words
    done = subprocess.run(
        [program, *words, *TINY, "--precision", "32-true"], capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch 2/2") == done.stdout.count("Scores by source") == 1
    run = here / "run"
    assert len(json.loads((run / "history.json").read_text())) == 2
    assert {"model.safetensors", "scores.json", "curves.png"} <= files(run)
