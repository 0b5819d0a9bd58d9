"""Training of an ensemble: networks that each omit one fold of the rows, joined to one model.

Each network is a run of its own in the folder `members`, so that a stopped training resumes with the network it was at.
Their out-of-fold predictions serve to fit the linear bias correction of the ensemble (models/ensemble.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from facepoints.data.dataset import LabeledFaces
from facepoints.data.split import Split, deal_folds
from facepoints.errors import BadChoice
from facepoints.keypoints import SOURCES
from facepoints.models.checkpoint import load_model
from facepoints.models.ensemble import Ensemble
from facepoints.models.model import BATCH, Model
from facepoints.models.networks import HEATMAP_NETWORKS, Size
from facepoints.training.recipe import Recipe
from facepoints.training.run_folder import MODEL_FILE, RunFolder

STRENGTHS = (30.0, 100.0, 300.0, 1000.0, 3000.0)
"""Ridge penalties to choose from by cross-validation over the folds."""

_OUTLIER = 8.0
"""Distance of prediction and label, px, from which the label is taken for wrong."""


def member_recipes(recipe: Recipe) -> list[tuple[int, Recipe]]:
    """For each member the fold that it omits and its recipe."""
    networks = recipe.ensemble_networks or (recipe.network,)
    alone = recipe.replace(folds=0, ensemble_networks=(), expected_error=False)
    return [
        (fold, alone.replace(name=f"{recipe.name}-{fold}-{network}", network=network, seed=recipe.seed + i))
        for i, (fold, network) in enumerate((fold, network) for fold in range(recipe.folds) for network in networks)
    ]


def check_ensemble_networks(recipe: Recipe) -> None:
    """Raises BadChoice where an ensemble of this recipe is impossible, before anything is trained."""
    if recipe.folds == 1:
        raise BadChoice("folds=1 would leave no rows to train on; give 2 or more, or 0 for one network on all rows")
    for network in recipe.ensemble_networks or (recipe.network,):
        if network not in HEATMAP_NETWORKS:
            names = ", ".join(HEATMAP_NETWORKS)
            raise BadChoice(f"folds={recipe.folds} needs heatmap networks ({names}), not '{network}'")


def member_rows(recipe: Recipe, data: LabeledFaces, rows: Split) -> list[Split]:
    """For each fold of the training rows: the other folds for training, this one for validation."""
    fold = deal_folds(data.take(rows.training), recipe.folds, recipe.seed)
    return [Split(rows.training[fold != i], rows.training[fold == i]) for i in range(recipe.folds)]


def train_ensemble(
    run: RunFolder,
    data: LabeledFaces,
    rows: Split,
    size: Size,
    train: Callable[[Recipe, Path, Split], object],
) -> Model:
    """Train the missing members, each by `train(recipe, folder, rows)`, and join them."""
    recipe = run.recipe
    splits, recipes = member_rows(recipe, data, rows), member_recipes(recipe)
    members: list[Model] = []
    for fold, member in recipes:
        folder = run.members / member.name
        train(member, folder, splits[fold])
        members.append(load_model(folder / MODEL_FILE)[0])
    joined = join(members, recipe, size)
    chosen = data.only(recipe.keypoints)
    omitted = [chosen.take(part.validation) for part in splits]
    fit_bias_correction(joined, members, [fold for fold, _ in recipes], omitted)
    return joined


def join(members: list[Model], recipe: Recipe, size: Size) -> Model:
    """One model that predicts the members' mean, with the mean of their label offsets."""
    first = members[0]
    size = replace(size, members=tuple(member.network_name for member in members))
    model = Model("ensemble", first.keypoints, size, recipe.as_table())
    model.all_keypoints = first.all_keypoints
    network = cast("Ensemble", model.network)
    with torch.no_grad():
        model.mean_shape = torch.stack([member.mean_shape for member in members]).mean(0)
        offsets = torch.stack([member.label_offset for member in members])
        model.label_offset.copy_(offsets.mean(0))
        network.shift.copy_((offsets - offsets.mean(0)).flatten(1, 2))
        network.source_channels.copy_(first.heatmap_network("ensemble").source_channels)
        for own, member in zip(network.members, members, strict=True):
            own.load_state_dict(member.network.state_dict())
    return model.eval()


@torch.no_grad()
def fit_bias_correction(model: Model, members: list[Model], folds: list[int], omitted: list[LabeledFaces]) -> None:
    """Fit the ensemble's linear bias correction on its members' out-of-fold predictions.

    omitted: the rows of each fold; folds: for each member the fold that it was not trained on.
    """
    network = cast("Ensemble", model.network)
    predicted = []
    for fold, part in enumerate(omitted):
        own = [i for i, other in enumerate(folds) if other == fold]
        each = [_without_offset(members[i], part) + network.shift[i] for i in own]
        predicted.append(torch.stack(each).mean(0).flatten(1))
    features = torch.cat(predicted).double()
    fold_of = torch.cat([torch.full((len(part),), i) for i, part in enumerate(omitted)])
    source = torch.from_numpy(np.concatenate([part.source for part in omitted]))
    labels = torch.from_numpy(np.concatenate([part.points for part in omitted])).double() - model.label_offset[source]
    observed = torch.from_numpy(np.concatenate([part.observed for part in omitted]))
    for s in range(len(SOURCES)):
        for k in range(len(model.keypoints)):
            start = 2 * (s * len(model.keypoints) + k)
            error = labels[:, k] - features[:, start : start + 2]
            rows = observed[:, k] & (source == s) & (error.norm(dim=1) < _OUTLIER)
            if rows.sum() < 10 * features.shape[1]:
                continue  # too few rows: this point stays uncorrected
            weights = _ridge(features[rows], error[rows], fold_of[rows])
            network.bias_correction[:, start : start + 2] = weights.float()


def _without_offset(member: Model, faces: LabeledFaces) -> Tensor:
    """Points (n, sources * k, 2) without label offset, flip averaged where all points have a partner."""
    flip = not member.keypoints.lone_sides()
    parts = []
    for start in range(0, len(faces), BATCH):
        images = torch.from_numpy(np.array(faces.faces[start : start + BATCH])).unsqueeze(1).float() / 255
        parts.append(member.views(images, flip=flip)[0])
    return torch.cat(parts)


def _ridge(features: Tensor, errors: Tensor, fold: Tensor) -> Tensor:
    """Weights (f + 1, 2), the last row a constant, that predict errors (n, 2) from features (n, f).

    The penalty is chosen by cross-validation over the folds; if none reduces the errors, all weights are zero.
    """
    best, least = torch.zeros(features.shape[1] + 1, 2, dtype=features.dtype), float(errors.square().sum())
    for strength in STRENGTHS:
        total = 0.0
        for out in torch.unique(fold):
            own = fold == out
            weights = _solve(features[~own], errors[~own], strength)
            total += float((errors[own] - (_with_one(features[own]) @ weights)).square().sum())
        if total < least:
            best, least = _solve(features, errors, strength), total
    return best


def _solve(features: Tensor, errors: Tensor, strength: float) -> Tensor:
    """Ridge regression on standardized features; the weights (f + 1, 2) apply to the original features."""
    middle, scale = features.mean(0), features.std(0).clamp_min(1e-3)
    x, y = (features - middle) / scale, errors - errors.mean(0)
    weights = torch.linalg.solve(x.T @ x + strength * torch.eye(x.shape[1], dtype=x.dtype), x.T @ y)
    weights = weights / scale.unsqueeze(1)
    return torch.cat([weights, (errors.mean(0) - middle @ weights).unsqueeze(0)])


def _with_one(features: Tensor) -> Tensor:
    return torch.cat([features, torch.ones(len(features), 1, dtype=features.dtype)], dim=1)
