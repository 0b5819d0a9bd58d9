"""The page's modules without a browser: node runs a few lines that import them, on JSON in and JSON out."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from facepoints.server.page import FOLDER

_NODE = shutil.which("node")

_AROUND = """
import { readFileSync } from "node:fs";
const given = JSON.parse(readFileSync(0, "utf8"));
const answer = await (async () => { %s })();
process.stdout.write(JSON.stringify(answer));
"""


def in_node(folder: Path, imports: str, body: str, given: object) -> Any:
    """What `body`, lines of a function that knows `given`, returns; folder: an empty one, for copies of the modules.

    Skips the test where there is no node.
    """
    if _NODE is None:
        pytest.skip("node is not installed: nothing to run the page's modules with")
    for module in FOLDER.glob("*.js"):
        shutil.copy(module, folder)
    (folder / "package.json").write_text('{"type": "module"}', "utf-8")  # as the page's script tag says
    (folder / "main.js").write_text(imports + _AROUND % body, "utf-8")
    told = json.dumps(given)
    ran = subprocess.run([_NODE, "main.js"], cwd=folder, input=told, capture_output=True, text=True, timeout=600)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)
