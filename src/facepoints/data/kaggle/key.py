"""Where Kaggle's official client will find a key, told without asking it: without one it may end the process."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from facepoints.errors import KaggleError

SETTINGS = "https://www.kaggle.com/settings"

HOW_TO = (
    f"Sign in at {SETTINGS}, under API choose Generate New Token, and put it into the file ~/.kaggle/access_token "
    "(then: chmod 600 ~/.kaggle/access_token) or into the environment variable KAGGLE_API_TOKEN. A legacy key "
    "works too: kaggle.json in ~/.kaggle (chmod 600), or KAGGLE_USERNAME and KAGGLE_KEY"
)


@dataclass(frozen=True)
class Key:
    """Where a key lies, never the key itself."""

    place: str
    note: str = ""
    """one line of advice: others can read the file"""

    @property
    def remedy(self) -> str:
        """What to do if Kaggle does not accept it."""
        return f"it is wrong, expired or revoked. Create a new one at {SETTINGS} under API and put it there"


def find_key() -> Key:
    """The place of the key that the client will use, in its order; raises KaggleError if there is none."""
    home = Path.home() / ".kaggle"
    if os.environ.get("KAGGLE_API_TOKEN"):
        return Key("KAGGLE_API_TOKEN")
    for path in (home / "access_token", home / "access_token.txt"):
        if _text(path).strip():
            return Key(str(path), _note(path))
    name, key = (bool(os.environ.get(variable)) for variable in ("KAGGLE_USERNAME", "KAGGLE_KEY"))
    if name and key:
        return Key("KAGGLE_USERNAME and KAGGLE_KEY")
    legacy = _config_folder() / "kaggle.json"
    if legacy.is_file():
        _check_legacy(legacy)
        return Key(str(legacy), _note(legacy))
    if (home / "credentials.json").is_file():  # `kaggle auth login` leaves it
        return Key(str(home / "credentials.json"), _note(home / "credentials.json"))
    if os.environ.get("KAGGLE_API_V1_TOKEN") and os.environ.get("KAGGLE_KERNEL_RUN_TYPE"):
        return Key("this Kaggle notebook")
    if name or key:
        there, absent = ("KAGGLE_USERNAME", "KAGGLE_KEY") if name else ("KAGGLE_KEY", "KAGGLE_USERNAME")
        raise KaggleError(f"{there} is set but {absent} is not; the client needs both. {HOW_TO}")
    raise KaggleError(f"no key for Kaggle: none in the environment, ~/.kaggle or {legacy}. {HOW_TO}")


def without_keys(text: str) -> str:
    """A server's text for the screen: one line, not long, and no key in it should it echo one."""
    home = Path.home() / ".kaggle"
    secrets = [os.environ.get("KAGGLE_API_TOKEN", ""), os.environ.get("KAGGLE_KEY", "")]
    secrets += [_text(home / "access_token").strip(), _text(home / "access_token.txt").strip()]
    for path in (_config_folder() / "kaggle.json", home / "credentials.json"):
        try:
            held = json.loads(_text(path) or "{}")
        except ValueError:
            continue
        if isinstance(held, dict):
            secrets += [str(value) for name, value in held.items() if name == "key" or name.endswith("_token")]
    for secret in secrets:
        text = text.replace(secret, "***") if secret else text
    line = " ".join(text.split())
    return line if len(line) <= 300 else line[:297] + "..."


def _config_folder() -> Path:
    """As the client chooses it."""
    if chosen := os.environ.get("KAGGLE_CONFIG_DIR"):
        return Path(chosen)
    home = Path.home() / ".kaggle"
    if sys.platform.startswith("linux") and not home.exists():
        return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "kaggle"
    return home


def _check_legacy(path: Path) -> None:
    try:
        held = json.loads(_text(path))
        complete = bool(held["username"]) and bool(held["key"])
    except (ValueError, KeyError, TypeError):
        complete = False
    if not complete:
        expected = 'expected {"username": "...", "key": "..."}'
        raise KaggleError(f"{path}: {expected}, as Kaggle hands it out, readable for you. {HOW_TO}")


def _note(path: Path) -> str:
    if os.name == "posix" and path.stat().st_mode & 0o077:
        return f"others on this machine can read your key. Run: chmod 600 {path}"
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError):
        return ""
