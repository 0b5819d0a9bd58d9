"""Progress of a training where the output is not a terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from lightning.pytorch import Callback, LightningModule, Trainer
from rich.console import Console

from facepoints.data.dataset import LabeledFaces
from facepoints.training import progress
from facepoints.training.fit import fit
from facepoints.training.progress import TrainingProgress
from facepoints.training.recipe import Recipe

SMALL = Recipe(name="small", network="plain", width=2, dense_units=8, epochs=2, batch_size=16)


class Interrupt(Callback):
    """Ctrl-C after so many complete epochs."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        if trainer.current_epoch == self.epochs:
            raise KeyboardInterrupt


def lines_of(data: LabeledFaces, folder: Path) -> list[str]:
    console = Console(file=io.StringIO(), width=120)
    fit(SMALL, data, folder, callbacks=[TrainingProgress(console)])
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_each_epoch_has_a_line(few_faces: LabeledFaces, tmp_path: Path) -> None:
    lines = lines_of(few_faces, tmp_path)
    assert [line.split(":")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert all("validation" in line and "(best" in line for line in lines)


def test_a_long_epoch_has_lines_of_its_own(
    few_faces: LabeledFaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    lines = lines_of(few_faces, tmp_path)
    assert lines[0].startswith("epoch 1/2: step 1 of 4, loss ")
    assert len(lines) == 2 * (4 + 1)


def test_passes_are_printed_now_and_then() -> None:
    console = Console(file=io.StringIO(), width=120)
    shown = TrainingProgress(console)
    for done in range(1, 11):
        shown.show_passes(done, 10)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == "expected errors: 10 of 10 passes\n"


@pytest.mark.parametrize(("epochs", "kept"), [(0, "no epoch was complete"), (1, "run keeps 1 of 2 epochs")])
def test_an_interrupt_names_what_is_kept(epochs: int, kept: str, few_faces: LabeledFaces, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt, match=kept):
        fit(SMALL, few_faces, tmp_path / "run", callbacks=[Interrupt(epochs)])
