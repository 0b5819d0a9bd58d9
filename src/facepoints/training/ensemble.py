"""Training an ensemble: networks of a few kinds, each without another part of the rows, joined to one model.

Each network is a run of its own in the folder `members` of the run, so that a stopped training goes on with the
network it was at. What a network says of the rows that were kept from it shows how it errs on faces it has not seen;
from that the ensemble learns its straightening (models/ensemble.py).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from facepoints.data.dataset import LabeledFaces
from facepoints.data.split import Split, deal_folds
from facepoints.errors import BadChoice
from facepoints.keypoints import FACE_SIZE, SOURCES
from facepoints.models.checkpoint import load_model
from facepoints.models.ensemble import Ensemble
from facepoints.models.heatmaps import MultiSourceNetwork
from facepoints.models.model import BATCH, Model
from facepoints.models.networks import HEATMAP_NETWORKS, Size
from facepoints.training.recipe import Recipe
from facepoints.training.run_folder import MODEL_FILE, RunFolder

STRENGTHS = (30.0, 100.0, 300.0, 1000.0, 3000.0)
"""Of the ridge that holds the straightening back; the one under which folds predict each other best is taken."""

_OUTLIER = 8.0
"""Pixels from which an answer and a label disagree too much for the label to be believed."""


def member_recipes(recipe: Recipe) -> list[tuple[int, Recipe]]:
    """The fold that each member does not learn from, and what it is trained by."""
    ensemble_networks = recipe.ensemble_networks or (recipe.network,)
    alone = recipe.replace(folds=0, ensemble_networks=(), expected_error=False)
    return [
        (fold, alone.replace(name=f"{recipe.name}-{fold}-{kind}", network=kind, seed=recipe.seed + i))
        for i, (fold, kind) in enumerate((fold, kind) for fold in range(recipe.folds) for kind in ensemble_networks)
    ]


def check_ensemble_networks(recipe: Recipe) -> None:
    """Raises BadChoice where one of the recipe's networks has no maps, before anything is trained."""
    if recipe.folds == 1:
        raise BadChoice("folds=1 would leave no rows to train on; give 2 or more, or 0 for one network on all rows")
    for kind in recipe.ensemble_networks or (recipe.network,):
        if kind not in HEATMAP_NETWORKS:
            raise BadChoice(
                f"folds={recipe.folds} needs networks with maps ({', '.join(HEATMAP_NETWORKS)}), not '{kind}'"
            )


def member_rows(recipe: Recipe, data: LabeledFaces, rows: Split) -> list[Split]:
    """For each fold of the training rows: all others to train on, and it for validation."""
    fold = deal_folds(data.take(rows.training), recipe.folds, recipe.seed)
    return [Split(rows.training[fold != i], rows.training[fold == i]) for i in range(recipe.folds)]


def train_ensemble(
    run: RunFolder,
    data: LabeledFaces,
    rows: Split,
    size: Size,
    train: Callable[[Recipe, Path, Split], object],
) -> Model:
    """Train the members that are not trained yet, each by `train(recipe, folder, rows)`, and join them."""
    recipe = run.recipe
    kept, recipes = member_rows(recipe, data, rows), member_recipes(recipe)
    members: list[Model] = []
    for fold, member in recipes:
        place = run.members / member.name
        train(member, place, kept[fold])
        members.append(load_model(place / MODEL_FILE)[0])
    joined = join(members, recipe, size)
    chosen = data.only(recipe.keypoints)
    fit_bias_correction(joined, members, [fold for fold, _ in recipes], [chosen.take(k.validation) for k in kept])
    return joined


def join(members: list[Model], recipe: Recipe, size: Size) -> Model:
    """One model that answers with the members' mean, in the way of labeling that they found on average."""
    first = members[0]
    ensemble_networks = tuple(member.network_name for member in members)
    size = Size(size.width, size.kernel, size.dense_units, size.dropout, ensemble_networks)
    model = Model("ensemble", first.keypoints, size, recipe.as_table())
    model.all_keypoints = first.all_keypoints
    network = cast("Ensemble", model.network)
    with torch.no_grad():
        model.mean_shape = torch.stack([member.mean_shape for member in members]).mean(0)
        offsets = torch.stack([member.label_offset for member in members])
        model.label_offset.copy_(offsets.mean(0))
        network.shift.copy_((offsets - offsets.mean(0)).flatten(1, 2))
        network.source_channels.copy_(cast("MultiSourceNetwork", first.network).source_channels)
        for own, member in zip(network.members, members, strict=True):
            own.load_state_dict(member.network.state_dict())
    return model.eval()


@torch.no_grad()
def fit_bias_correction(model: Model, members: list[Model], folds: list[int], unseen: list[LabeledFaces]) -> None:
    """Learn the ensemble's affine map from what its members say of the rows they were not trained on.

    `folds` tell for each member which of the `unseen` parts was kept from it.
    """
    network = cast("Ensemble", model.network)
    said = []
    for fold, part in enumerate(unseen):
        ours = [i for i, kept in enumerate(folds) if kept == fold]
        each = [_in_own_frame(members[i], part) + network.shift[i] for i in ours]
        said.append(torch.stack(each).mean(0).flatten(1))
    features = torch.cat(said).double()
    fold_of = torch.cat([torch.full((len(part),), i) for i, part in enumerate(unseen)])
    source = torch.from_numpy(np.concatenate([part.source for part in unseen]))
    labels = torch.from_numpy(np.concatenate([part.points for part in unseen])).double() - model.label_offset[source]
    observed = torch.from_numpy(np.concatenate([part.observed for part in unseen]))
    for s in range(len(SOURCES)):
        for k in range(len(model.keypoints)):
            answer = s * len(model.keypoints) + k
            missed = labels[:, k] - features[:, 2 * answer : 2 * answer + 2]
            rows = observed[:, k] & (source == s) & (missed.norm(dim=1) < _OUTLIER)
            if rows.sum() < 10 * features.shape[1]:
                continue  # too few to learn from: such a point stays where the mean has it
            weights = _ridge(features[rows], missed[rows], fold_of[rows])
            network.bias_correction[:, 2 * answer : 2 * answer + 2] = weights.float()


def _in_own_frame(member: Model, faces: LabeledFaces) -> Tensor:
    """All answers (n, answers, 2) without label offset, the mean of a face and its mirror image where it has one."""
    network = cast("MultiSourceNetwork", member.network)
    k = len(member.keypoints)
    swap = torch.cat([torch.from_numpy(member.keypoints.mirror) + s * k for s in range(len(SOURCES))])
    made = []
    for start in range(0, len(faces), BATCH):
        part = torch.from_numpy(np.array(faces.faces[start : start + BATCH])).unsqueeze(1).float() / 255
        points = network.extract(part).points
        if not member.keypoints.lone_sides():
            again = network.extract(part.flip(3)).points[:, swap]
            points = (points + torch.stack([FACE_SIZE - 1 - again[..., 0], again[..., 1]], dim=2)) / 2
        made.append(points)
    return torch.cat(made)


def _ridge(features: Tensor, missed: Tensor, fold: Tensor) -> Tensor:
    """Weights (f + 1, 2), the last row a constant, that predict `missed` (n, 2) from features (n, f).

    The strength is chosen by letting the other folds predict each fold; if none helps, all weights are zero.
    """
    best, least = torch.zeros(features.shape[1] + 1, 2, dtype=features.dtype), float(missed.square().sum())
    for strength in STRENGTHS:
        left = 0.0
        for out in torch.unique(fold):
            own = fold == out
            left += float(
                (missed[own] - _with_one(features[own]) @ _solve(features[~own], missed[~own], strength)).square().sum()
            )
        if left < least:
            best, least = _solve(features, missed, strength), left
    return best


def _solve(features: Tensor, missed: Tensor, strength: float) -> Tensor:
    """Ridge regression on standardized features, told for the features as they are: (f + 1, 2)."""
    middle, scale = features.mean(0), features.std(0).clamp_min(1e-3)
    x, y = (features - middle) / scale, missed - missed.mean(0)
    weights = torch.linalg.solve(x.T @ x + strength * torch.eye(x.shape[1], dtype=x.dtype), x.T @ y)
    weights = weights / scale.unsqueeze(1)
    return torch.cat([weights, (missed.mean(0) - middle @ weights).unsqueeze(0)])


def _with_one(features: Tensor) -> Tensor:
    return torch.cat([features, torch.ones(len(features), 1, dtype=features.dtype)], dim=1)
