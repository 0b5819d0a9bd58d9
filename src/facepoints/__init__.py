"""facepoints trains, evaluates and runs facial keypoint detectors.

    detector = facepoints.load()  # bundled weights, no torch
    data = facepoints.load_dataset("data/faces")
    run = facepoints.train("cnn-flip", data, "runs/a", epochs=5)
    facepoints.evaluate(run, data).report("evaluation")

Points are (x, y) in pixels of the face, float32 (n, k, 2); pixel centers are whole numbers. Mistakes raise
`FacepointsError` with one line that says what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from facepoints.errors import FacepointsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facepoints.data.dataset import LabeledFaces
    from facepoints.evaluation.predictor import Predictor
    from facepoints.evaluation.trained_run import TrainedRun
    from facepoints.exporting.onnx_file import Exported
    from facepoints.inference.detector import Detector
    from facepoints.inference.faces import Face
    from facepoints.reports.results import AuditReport, ComparisonReport, EvaluationReport, ExplorationReport
    from facepoints.training.recipe import Recipe
    from facepoints.tuning.results import StudyResult

__all__ = [
    "Detector",
    "Face",
    "FacepointsError",
    "audit",
    "compare",
    "evaluate",
    "explore",
    "export",
    "load",
    "load_dataset",
    "submit",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:
    """The public classes, imported when first used."""
    if name not in ("Detector", "Face"):
        raise AttributeError(f"module 'facepoints' has no attribute '{name}'")
    from facepoints.inference import detector

    return vars(detector)[name]


def __dir__() -> list[str]:
    return list(__all__)


Model = Any
"""The path of a run folder, an .onnx file or a table of points; or a `Predictor`, such as what `train` returns."""


def load(
    model: str | PathLike[str] | None = None,
    *,
    threads: int | None = None,
    face_model: str | PathLike[str] | None = None,
) -> Detector:
    """Load a detector: photos in, faces with their points out. Needs the base install only.

    model: an .onnx file written by `export`; None: the bundled weights. threads: for each network; None: one per core,
    at most 4. face_model: a YuNet .onnx file instead of the bundled face detector. Raises BadRun for a damaged file.
    """
    from facepoints.inference.detector import load as load_detector

    paths = [None if path is None else Path(path) for path in (model, face_model)]
    return load_detector(paths[0], threads=threads, face_model=paths[1])


def load_dataset(
    path: str | PathLike[str],
    *,
    corrections: str | PathLike[str] | None = None,
    skip_broken: bool = False,
) -> LabeledFaces:
    """Read labeled faces in any format that facepoints reads (docs/data.md), or `synthetic` for built-in faces.

    Returns faces uint8 (n, 96, 96), points float32 (n, k, 2) px, observed bool (n, k), source int (n,), keypoints.
    corrections: a corrections.json of the audit page. skip_broken leaves out rows that cannot be read, with a warning.
    Raises BadFile with the line at fault.
    """
    import warnings

    from facepoints.data.corrections import apply_corrections
    from facepoints.data.loading import load_training

    data = load_training(str(path), skip_broken=skip_broken, say=lambda line: warnings.warn(line, stacklevel=3))
    return apply_corrections(data, Path(corrections)) if corrections else data


def train(
    recipe: str | Recipe,
    data: LabeledFaces,
    folder: str | PathLike[str],
    *,
    resume: bool = False,
    force: bool = False,
    progress: bool = True,
    **fields: Any,
) -> TrainedRun:
    """Train a recipe into a run folder and return the run. Needs the extra `train`.

    recipe: a built-in recipe (`facepoints recipes`), a TOML file, or a Recipe. fields: fields of the recipe
    to change, such as epochs=5. resume continues a stopped training; force replaces one. A finished training of the
    same recipe and data is returned as it is.
    Raises BadChoice for an unknown recipe, field or value, BadRun if the folder holds something else.
    """
    from rich.console import Console

    from facepoints.errors import AlreadyTrained
    from facepoints.evaluation.trained_run import open_run
    from facepoints.training.builtin_recipes import open_recipe
    from facepoints.training.fit import fit
    from facepoints.training.progress import TrainingProgress

    chosen = (open_recipe(recipe) if isinstance(recipe, str) else recipe).replace(**fields)
    callbacks: list[Any] = [TrainingProgress(Console())] if progress else []
    with suppress(AlreadyTrained):
        fit(chosen, data, Path(folder), resume=resume, force=force, callbacks=callbacks)
    return open_run(Path(folder))


def evaluate(
    model: Model,
    data: LabeledFaces,
    *,
    rows: Literal["held-out", "all"] = "held-out",
    flip: bool = False,
    seed: int = 0,
) -> EvaluationReport:
    """Score a model on the rows that it was not trained on. Needs the extra `train`.

    rows: "all" scores the training rows, too, which is optimistic. flip: test-time augmentation, average with the
    mirrored face. Returns `.rmse` in px, `.by_keypoint`, `.scores` and more; `.report(folder)` writes page and tables.
    Raises BadRun for a damaged model, BadChoice if no row is left to score.
    """
    from facepoints.evaluation.evaluate import evaluate as evaluate_model
    from facepoints.reports.results import EvaluationReport, arguments_of

    found = evaluate_model(_predictor(model, data), data, rows=rows, flip=flip, seed=seed)
    return EvaluationReport(**arguments_of(found))


def compare(
    models: Sequence[Model],
    data: LabeledFaces,
    *,
    flip: bool = False,
    timing: bool = True,
    seed: int = 0,
) -> ComparisonReport:
    """Compare two or more models on the rows that none of them was trained on, over their common keypoints.

    Differences to the best model have a 95 % interval and a p-value from a paired bootstrap over faces. timing: measure
    milliseconds per face, too. Returns `.results`, the best first; `.report(folder)` writes the page and compare.json.
    Raises BadChoice for fewer than two models or 30 common rows.
    """
    from facepoints.evaluation.compare import Candidate
    from facepoints.evaluation.compare import compare as compare_models
    from facepoints.reports.results import ComparisonReport, arguments_of

    predictors = [_predictor(model, data) for model in models]
    candidates = [Candidate(predictor.name, (predictor,)) for predictor in predictors]
    found = compare_models(candidates, data, flip=flip, timing=timing, seed=seed)
    return ComparisonReport(**arguments_of(found))


def audit(
    data: LabeledFaces,
    *,
    networks: str | PathLike[str] | None = None,
    keep_best: float = 0.98,
    seed: int = 0,
) -> AuditReport:
    """Find wrong labels and near-duplicates with networks that were trained on other rows. Needs the extra `train`.

    networks: a folder that keeps the networks, so that an interrupted audit continues; None: a temporary folder.
    keep_best: share of the rows that is not listed. Returns `.issues` by descending score and `.counts` by kind;
    `.report(folder)` writes audit.csv and the review page. 7,000 faces take some four minutes of two cores.
    """
    from facepoints.auditing.audit import audit as audit_faces
    from facepoints.reports.results import AuditReport, arguments_of

    found = audit_faces(data, Path(networks) if networks else None, keep_best=keep_best, seed=seed)
    return AuditReport(**arguments_of(found))


def explore(data: LabeledFaces, *, seed: int = 0) -> ExplorationReport:
    """Statistics of a data set: labels, sources, image quality, head pose, label offsets and imputation errors.

    Needs the extra `train`. seed chooses the random faces that are shown. `.report(folder)` writes the page,
    explore.json and pictures.
    """
    from facepoints.exploration.explore import explore as explore_faces
    from facepoints.reports.results import ExplorationReport, arguments_of

    return ExplorationReport(**arguments_of(explore_faces(data, seed=seed)))


def tune(
    recipe: str | Recipe,
    data: LabeledFaces,
    folder: str | PathLike[str],
    *,
    trials: int = 20,
    epochs: int | None = None,
    vary: Sequence[str] = (),
    seed: int | None = None,
) -> StudyResult:
    """Search better values for a recipe's fields by short trainings (Optuna). Needs the extra `train`.

    trials: finished trials of the whole study; the same call continues a study that was interrupted. epochs: of each
    trial; None: the recipe's. vary: the search space, such as ["learning_rate=1e-4..1e-2", "width=16,32", "dropout"];
    empty: suggested by the recipe. Writes best.toml, study.json and study.html into folder and returns the result.
    Raises BadChoice for an unknown field, BadRun if folder holds another search.
    """
    from rich.console import Console

    from facepoints.reports.tuning.page import write_study
    from facepoints.training.builtin_recipes import open_recipe
    from facepoints.tuning.progress import SearchProgress
    from facepoints.tuning.search import Plan
    from facepoints.tuning.search import tune as search
    from facepoints.tuning.space import read_space, suggested_space

    start = open_recipe(recipe) if isinstance(recipe, str) else recipe
    start = start if seed is None else start.replace(seed=seed)
    space = read_space(start, list(vary)) or suggested_space(start, data)
    length = epochs or start.epochs
    plan = Plan(start, space, length, trials, None)
    return search(plan, data, Path(folder), SearchProgress(Console(), length), report=write_study)


def submit(
    model: Model | Sequence[Model] | None,
    data: str | PathLike[str],
    path: str | PathLike[str] = "submission.csv",
    *,
    flip: bool = True,
) -> NDArray[np.float64]:
    """Write the competition's submission file and return its values (r,), px, in the order of the look-up table.

    model: one model or several, whose points are averaged; None: the bundled weights. data: the competition's folder.
    flip: test-time augmentation. Uploading is left to `facepoints submit --send`.
    """
    from facepoints.data.loading import load_submission_faces
    from facepoints.evaluation.predictor import MeanPredictor
    from facepoints.evaluation.submission import submit as write_submission

    models = list(model) if isinstance(model, list | tuple) else [model]
    members = tuple(_predictor(one, points_only=True) for one in models)
    predictor = members[0] if len(members) == 1 else MeanPredictor(members)
    return write_submission(predictor, load_submission_faces(str(data)), Path(path), flip=flip)


def export(
    run: str | PathLike[str] | TrainedRun,
    path: str | PathLike[str],
    *,
    precision: str = "fp32",
    data: LabeledFaces | None = None,
) -> Exported:
    """Export a run as one ONNX file, checked against the run before it takes its place. Needs the extra `train`.

    precision: fp32, fp16 (half the size) or int8 (faster; needs data for its scales). Returns the differences from the
    run, in px, and for fp16 and int8 error, time and size against fp32.
    Raises BadRun for a folder that is no run, BadChoice for an unknown precision.
    """
    from facepoints.exporting.onnx_file import export_run

    place = Path(run) if isinstance(run, str | PathLike) else run.folder
    return export_run(place, Path(path), precision=precision, data=data)


def _predictor(model: Model, data: LabeledFaces | None = None, *, points_only: bool = False) -> Predictor:
    from facepoints.evaluation.open_predictor import open_predictor

    if model is None or isinstance(model, str | PathLike):
        return open_predictor(None if model is None else Path(model), data, points_only=points_only)
    if points_only and hasattr(model, "folder"):
        return open_predictor(model.folder, points_only=True)
    return cast("Predictor", model)
