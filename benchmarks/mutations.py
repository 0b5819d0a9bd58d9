"""Mutation testing: do the tests notice when a line of a module is changed?

    python benchmarks/mutations.py --since v0.1 --count 60        # modules changed since a commit
    python benchmarks/mutations.py src/facepoints/metrics.py      # these modules

Each mutant changes one operator, comparison, constant, condition or return value in a copy of `src`. The tests that
mirror the module run against the copy; a mutant that they pass survives. Prints every
survivor and the share of mutants that were noticed. Mutants of log messages and of plain text are not made.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES, TESTS = ROOT / "src" / "facepoints", ROOT / "tests"
SECONDS = 120
"""A mutant whose tests take longer counts as noticed: it loops."""

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True)
class Mutant:
    """One change of one module."""

    module: Path
    line: int
    change: str
    source: str


def mutants(module: Path) -> list[Mutant]:
    """Every mutant of a module, in source order."""
    text = module.read_text("utf-8")
    found = []
    for number in range(sum(1 for _ in _places(ast.parse(text)))):
        tree = ast.parse(text)
        line, change = list(_places(tree))[number].apply()
        found.append(Mutant(module, line, change, ast.unparse(tree)))
    return found


@dataclass
class _Place:
    node: ast.AST
    parent: ast.AST

    def apply(self) -> tuple[int, str]:
        """Change the tree; return the line and what was changed."""
        node, line = self.node, getattr(self.node, "lineno", 0)
        if isinstance(node, ast.Compare):
            old = node.ops[0]
            node.ops[0] = _COMPARISONS[type(old)]()
            return line, f"{type(old).__name__} -> {type(node.ops[0]).__name__}"
        if isinstance(node, ast.BinOp):
            operator = node.op
            node.op = _OPERATORS[type(operator)]()
            return line, f"{type(operator).__name__} -> {type(node.op).__name__}"
        if isinstance(node, ast.BoolOp):
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            return line, "and <-> or"
        if isinstance(node, ast.Return):
            node.value = ast.Constant(None)
            return line, "return None"
        assert isinstance(node, ast.Constant)
        old_value = node.value
        assert isinstance(old_value, int | float)
        node.value = not old_value if isinstance(old_value, bool) else old_value + 1
        return line, f"{old_value} -> {node.value}"


def _places(tree: ast.AST) -> Iterator[_Place]:
    for parent in ast.walk(tree):
        if isinstance(parent, ast.JoinedStr | ast.FormattedValue | ast.AnnAssign | ast.Subscript):
            continue
        for node in ast.iter_child_nodes(parent):
            number = isinstance(node, ast.Constant) and isinstance(node.value, int | float)
            if (
                (isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARISONS)
                or (isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS)
                or isinstance(node, ast.BoolOp)
                or (isinstance(node, ast.Return) and node.value is not None)
                or (number and not isinstance(parent, ast.keyword))
            ):
                yield _Place(node, parent)


def tests_of(module: Path) -> list[Path]:
    """The mirrored test module, else the tests of the same folder, else those of the parent folder."""
    folder = TESTS / module.relative_to(SOURCES).parent
    own = folder / f"test_{module.name}"
    if own.exists():
        return [own]
    while not list(folder.glob("test_*.py")):
        folder = folder.parent
    return sorted(folder.glob("test_*.py"))


def survives(mutant: Mutant, copy: Path) -> bool:
    """Run the tests of the mutant's module against a copy of the sources with this one change."""
    place = copy / "facepoints" / mutant.module.relative_to(SOURCES)
    original = place.read_text("utf-8")
    place.write_text(mutant.source, "utf-8")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *map(str, tests_of(mutant.module))]
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return False
    finally:
        place.write_text(original, "utf-8")
    return done.returncode == 0


def changed_since(commit: str) -> list[Path]:
    """The modules of `src` that differ from a commit."""
    listed = subprocess.run(
        ["git", "diff", "--name-only", "--diff-filter=d", commit, "--", "src/facepoints"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [ROOT / line for line in listed.splitlines() if line.endswith(".py") and "__init__" not in line]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", type=Path)
    parser.add_argument("--since", metavar="COMMIT", help="take the modules that changed since this commit")
    parser.add_argument("--count", type=int, default=60, help="number of random mutants")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    args = parser.parse_args()
    modules = [path.resolve() for path in args.modules] + (changed_since(args.since) if args.since else [])
    pool = [mutant for module in modules for mutant in mutants(module)]
    chosen = random.Random(args.seed).sample(pool, min(args.count, len(pool)))
    alive = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        shutil.copytree(SOURCES, copy / "facepoints")
        for number, mutant in enumerate(chosen, start=1):
            name = f"{mutant.module.relative_to(ROOT)}:{mutant.line} {mutant.change}"
            if survives(mutant, copy):
                alive.append(name)
                print(f"survived: {name}", flush=True)
            elif number % 10 == 0:
                print(f"{number} of {len(chosen)}", flush=True)
    noticed = len(chosen) - len(alive)
    print(f"{noticed} of {len(chosen)} mutants noticed ({noticed / max(1, len(chosen)):.0%})")
    if args.out:
        args.out.write_text(json.dumps({"mutants": len(chosen), "noticed": noticed, "survived": alive}, indent=1))


if __name__ == "__main__":
    main()
