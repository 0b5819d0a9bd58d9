"""The whole audit on a few drawn faces: its files, its list, going on after a stop, a person's word."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from facepoints.auditing import cross_validation as out_of_fold
from facepoints.auditing.audit import audit_data, print_label_issues
from facepoints.data.label_errors import KINDS, read_label_issues
from facepoints.data.synthetic.faces import synthetic_training
from facepoints.errors import BadChoice
from injected_errors import inject


@pytest.fixture(scope="module")
def few():
    return inject(synthetic_training(60, seed=4), each=1, near_duplicates=3, seed=0)


@pytest.fixture(scope="module")
def audited(few, tmp_path_factory):
    out = tmp_path_factory.mktemp("audit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(out_of_fold, "STEPS", 12)
        yield few, out, audit_data(few.data, out, Console(quiet=True), keep_best=0.9)


def again(audited, **options):
    few, out, _ = audited
    return audit_data(few.data, out, Console(quiet=True), **{"keep_best": 0.9, **options})


def test_the_list_is_what_was_promised(audited):
    few, out, label_issues = audited
    assert [(s.row, s.kind, s.keypoint) for s in read_label_issues(out / "audit.csv")] == [
        (s.row, s.kind, s.keypoint) for s in label_issues
    ]
    assert all(s.kind in KINDS and 0 <= s.score <= 1 and s.reason.endswith(".") for s in label_issues)
    scores = [s.score for s in label_issues]
    assert scores == sorted(scores, reverse=True)
    pairs = {(min(s.row, s.other_row), max(s.row, s.other_row)) for s in label_issues if s.kind == "duplicate"}
    assert pairs == set(few.near_duplicates)
    # one in ten of the rows, for the networks of this test are no judges
    assert len({s.row for s in label_issues if s.kind not in ("duplicate", "outside")}) >= 6


def test_the_page_holds_every_suspect_and_fetches_nothing(audited):
    _, out, label_issues = audited
    page = (out / "audit.html").read_text()
    content = json.loads(re.search(r'<script type="application/json" id="content">(.*?)</script>', page, re.S)[1])
    assert [(c["row"], c["kind"]) for c in content["cards"]] == [(s.row, s.kind) for s in label_issues]
    assert all(str(s.row) in content["faces"] for s in label_issues)
    assert "{{" not in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', page)


def test_a_finished_audit_trains_nothing_again(audited, monkeypatch):
    def no_training(*_args, **_kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr("facepoints.training.trainer.Trainer", no_training)
    assert again(audited) == audited[2]


def test_what_is_called_fine_is_not_listed_and_what_was_mended_is_judged_anew(audited, tmp_path):
    first = next(s for s in audited[2] if s.kind != "duplicate")
    entry = {"row": first.row, "kind": first.kind, "keypoint": first.keypoint, "mark": "fine", "points": {}}
    file = tmp_path / "corrections.json"
    file.write_text(json.dumps({"format": 1, "corrections": [entry]}))
    assert (first.row, first.kind) not in {(s.row, s.kind) for s in again(audited, corrections=file)}
    file.write_text(json.dumps({"format": 1, "corrections": [{**entry, "keypoint": "", "mark": "wrong"}]}))
    assert first.row not in {s.row for s in again(audited, corrections=file)}
    again(audited)  # and all as before for the other tests


def test_other_labels_train_anew_and_say_so(audited):
    few, out, _ = audited
    points = np.array(few.data.points)
    points[0, 0] += 1
    console = Console(width=200, file=io.StringIO())
    audit_data(replace(few.data, points=points), out, console, keep_best=0.9)
    assert "trained anew" in console.file.getvalue()


def test_keep_best_is_a_share_and_the_table_counts(audited):
    with pytest.raises(BadChoice, match="keep_best is 3"):
        again(audited, keep_best=3)
    console = Console(width=120, file=io.StringIO())
    print_label_issues(audited[2], console)
    assert "duplicate" in console.file.getvalue()
