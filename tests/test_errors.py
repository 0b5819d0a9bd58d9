"""Errors: names close to a wrong one are proposed, and a missing extra is named."""

from __future__ import annotations

import pytest

from facepoints import errors
from facepoints.errors import BadChoice, FacepointsError, missing_extra, unknown


def test_every_error_has_the_one_base() -> None:
    own = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert len(own) > 5
    assert all(issubclass(e, FacepointsError) for e in own)


def test_the_nearest_name_is_proposed_else_all_are_listed() -> None:
    assert isinstance(unknown("recipe", "cn", ["cnn", "dense"]), BadChoice)
    assert str(unknown("recipe", "cn", ["cnn", "dense"])) == "no recipe 'cn'; did you mean 'cnn'?"
    assert str(unknown("recipe", "xyz", ["dense", "cnn"])) == "no recipe 'xyz'; there are: cnn, dense"


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (ModuleNotFoundError("No module named 'wandb'", name="wandb"), "facepoints[wandb]"),
        (ModuleNotFoundError("please install wandb first"), "facepoints[wandb]"),
    ],
)
def test_the_extra_that_holds_a_missing_module_is_named(
    missing: ModuleNotFoundError, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "find_spec", lambda name: None)
    found = missing_extra(missing)
    assert found is not None
    assert message in str(found)


def test_a_module_of_no_extra_is_a_fault_of_ours() -> None:
    assert missing_extra(ModuleNotFoundError("No module named 'nonsense'", name="nonsense")) is None
    # installed, yet something inside it is missing: installing it again would not help
    assert missing_extra(ModuleNotFoundError("No module named 'torch'", name="torch")) is None
