"""./run and ./test up to where Python takes over: an interpreter that notes how it was called stands in for it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tree import ROOT

REQUIREMENTS = [f"requirements{part}.txt" for part in ("", "-dev", "-data", "-roads")]
TWO = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
PYTHON = shlex.quote(sys.executable)
NOTER = f"""#!/bin/sh
# Questions go to a real interpreter; all else is noted as JSON: its arguments, its folder, and what it was told.
case $1 in -c|-V) exec {PYTHON} "$@";; esac
exec {PYTHON} - "$@" <<'END'
import json, os, sys
told = {{name: os.environ.get(name) for name in ("GRIDBEAT_CONFIG", "PYTHONPATH", "PATH")}}
with open(os.environ["NOTES"], "a") as notes:
    print(json.dumps({{"words": sys.argv[1:], "folder": os.getcwd(), **told}}), file=notes)
sys.exit(1 if "pip" in sys.argv and "BROKEN_PIP" in os.environ else 0)
END
"""


class Clone:
    """The commands in a folder of their own (with spaces in its name) with a .venv that is already made."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a clone"
        (self.root / ".ci").mkdir(parents=True)
        for name in ("run", "test", ".ci/venv.sh", *REQUIREMENTS):
            shutil.copy(ROOT / name, self.root / name)
        self.notes = folder / "notes"
        self.environment = {"NOTES": str(self.notes), "PATH": os.environ["PATH"], "HOME": str(folder)}
        interpreter = self.root / ".venv" / "bin" / "python"
        interpreter.parent.mkdir(parents=True)
        write_command(interpreter, NOTER)

    def call(self, *words: str, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        self.notes.unlink(missing_ok=True)
        return subprocess.run(
            [str(self.root / words[0]), *words[1:]],
            cwd=cwd or self.root,
            env=self.environment | more,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @property
    def noted(self) -> list[dict[str, Any]]:
        if not self.notes.exists():
            return []
        return [json.loads(line) for line in self.notes.read_text().splitlines()]


def write_command(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_run_installs_once_then_is_quiet(clone: Clone) -> None:
    first = clone.call("run")
    assert first.returncode == 0
    assert len(first.stderr.splitlines()) == 1
    pip, server = clone.noted
    assert pip["words"][:3] == ["-m", "pip", "install"]
    assert pip["words"][-2:] == ["-r", "requirements.txt"]
    assert server["words"] == [".venv/bin/twistd", "--nodaemon", "--pidfile=", "--python", "twistd.tac"]
    assert server["folder"] == str(clone.root)
    assert server["GRIDBEAT_CONFIG"] is None

    second = clone.call("run")
    assert (second.stdout, second.stderr) == ("", "")
    assert len(clone.noted) == 1

    with (clone.root / "requirements.txt").open("a") as file:
        file.write("# another line\n")
    assert "requirements.txt" in clone.call("run").stderr
    assert len(clone.noted) == 2


def test_run_explains_when_pip_fails_and_tries_again(clone: Clone) -> None:
    for _ in range(2):
        failed = clone.call("run", BROKEN_PIP="1")
        assert failed.returncode == 1
        assert "offline" in failed.stderr
        assert [note["words"][1] for note in clone.noted] == ["pip"]


def test_run_finds_the_settings_from_any_folder(clone: Clone, tmp_path: Path) -> None:
    config = tmp_path / "my city's.toml"
    config.touch()
    for words in (["--config", config.name], [f"--config={config.name}"], ["--config", str(config)]):
        assert clone.call("run", *words, cwd=tmp_path).returncode == 0
        assert clone.noted[-1]["GRIDBEAT_CONFIG"] == str(config)
        assert clone.noted[-1]["folder"] == str(clone.root)
    clone.call("run", GRIDBEAT_CONFIG=str(config))
    assert clone.noted[-1]["GRIDBEAT_CONFIG"] == str(config)


def test_run_works_through_a_link(clone: Clone, tmp_path: Path) -> None:
    link = tmp_path / "gridbeat"
    link.symlink_to(clone.root / "run")
    assert subprocess.run([str(link)], env=clone.environment, cwd="/", check=False).returncode == 0
    assert clone.noted[-1]["folder"] == str(clone.root)


def test_import_keeps_the_folder_and_every_word(clone: Clone, tmp_path: Path) -> None:
    config = tmp_path / "city.toml"
    config.touch()
    words = ["people of today.csv", "$(touch hacked)", "*", "--dry"]
    assert clone.call("run", "import", *words, "--config", "city.toml", cwd=tmp_path).returncode == 0
    importer = clone.noted[-1]
    assert importer["words"] == ["-P", "-m", "webmap.importer", *words]
    assert importer["folder"] == str(tmp_path)
    assert importer["PYTHONPATH"] == str(clone.root)
    assert importer["GRIDBEAT_CONFIG"] == str(config)
    assert not (tmp_path / "hacked").exists()


def test_backup_and_restore_take_their_words_where_they_were_said(clone: Clone, tmp_path: Path) -> None:
    for words in (["backup", "usb disk", "--prune"], ["restore", "usb disk/gridbeat-2026-11-23-120000"]):
        assert clone.call("run", *words, cwd=tmp_path).returncode == 0
        assert clone.noted[-1]["words"] == ["-P", "-m", "tracker.backups", *words]
        assert (clone.noted[-1]["folder"], clone.noted[-1]["PYTHONPATH"]) == (str(tmp_path), str(clone.root))


def test_a_restore_may_name_settings_that_it_is_to_bring(clone: Clone, tmp_path: Path) -> None:
    words = ["restore", "backup", "--config", "new.toml"]
    assert clone.call("run", *words, cwd=tmp_path).returncode == 0
    assert clone.noted[-1]["GRIDBEAT_CONFIG"] == str(tmp_path / "new.toml")


def test_a_certificate_is_made_for_the_names_that_are_given(clone: Clone, tmp_path: Path) -> None:
    for words in ([], ["map.lan", "192.168.1.20"]):
        assert clone.call("run", "make-certificate", *words, cwd=tmp_path).returncode == 0
        assert clone.noted[-1]["words"] == ["-P", "-m", "tracker.certifying", *words]


def test_a_graph_is_built_with_what_it_needs_besides(clone: Clone, tmp_path: Path) -> None:
    assert clone.call("run", "build-graph", "my city.osm.pbf", "my roads.npz", cwd=tmp_path).returncode == 0
    pip, builder = clone.noted
    assert pip["words"][-2:] == ["-r", "requirements-roads.txt"]
    assert builder["words"] == ["-P", "-m", "dispatch.roads_tool", "my city.osm.pbf", "my roads.npz"]
    assert builder["folder"] == str(tmp_path)


def test_verify_takes_its_words_or_none(clone: Clone, tmp_path: Path) -> None:
    for words in ([], ["--head", "heads of today.jsonl"]):
        assert clone.call("run", "verify", *words, cwd=tmp_path).returncode == 0
        assert clone.noted[-1]["words"] == ["-P", "-m", "tracker.verifying", *words]
        assert clone.noted[-1]["folder"] == str(tmp_path)


def test_a_new_password_is_for_one_account(clone: Clone) -> None:
    for words in ([], ["王伟"]):
        assert clone.call("run", "new-password", *words).returncode == 0
        assert clone.noted[-1]["words"] == ["-P", "-m", "webmap.password_tool", *words]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["new-password", "a", "b"], "new-password needs one name at most"),
        (["start"], "unknown command: start"),
        (["--demo"], "unknown option: --demo"),
        (["--config"], "--config needs the name of a file"),
        (["--config", "no such.toml"], "there is no settings file /"),
        (["import"], "import needs a file"),
        (["backup"], "backup needs a folder"),
        (["build-graph"], "build-graph needs an OpenStreetMap extract"),
        (["restore"], "restore needs a backup"),
        (["backup", "usb", "--config", "no such.toml"], "there is no settings file /"),
    ],
)
def test_run_says_what_it_does_not_understand(clone: Clone, words: list[str], told: str) -> None:
    answer = clone.call("run", *words)
    assert answer.returncode == 2
    assert told in answer.stderr
    assert "--help" in answer.stderr
    assert clone.noted == []


def test_run_helps_without_setting_anything_up(clone: Clone) -> None:
    answer = clone.call("run", "--help")
    assert answer.returncode == 0
    assert "--config city.toml" in answer.stdout
    assert clone.noted == []


@pytest.fixture
def bare(clone: Clone, tmp_path: Path) -> Path:
    """A PATH with the usual small commands only: no Python, no browser, no apt-get."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "sh", "env", "readlink", "dirname", "cat", "sha256sum", "timeout", "mkdir", "ln", "id"):
        path = shutil.which(name)
        assert path is not None
        (folder / name).symlink_to(path)
    clone.environment["PATH"] = str(folder)
    return folder


def test_run_says_what_to_install_where_python_is_missing_or_old(clone: Clone, bare: Path) -> None:
    shutil.rmtree(clone.root / ".venv")
    assert "sudo apt install python3 python3-venv" in clone.call("run").stderr
    write_command(bare / "python3", "#!/bin/sh\nexit 1\n")
    assert "Python 3.11 or newer is needed" in clone.call("run").stderr


def test_run_says_what_to_install_where_venv_is_missing(clone: Clone, bare: Path) -> None:
    shutil.rmtree(clone.root / ".venv")
    lacking = f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;; esac\nexec {PYTHON} "$@"\n'
    write_command(bare / "python3.12", lacking)
    answer = clone.call("run")
    assert answer.returncode == 1
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    assert f"sudo apt install {version}" in answer.stderr
    write_command(bare / "python3", lacking)
    assert "sudo apt install python3-venv" in clone.call("run").stderr


def test_a_venv_that_does_not_work_is_made_again(clone: Clone, bare: Path) -> None:
    """The system's Python was replaced: the link in .venv leads nowhere."""
    interpreter = clone.root / ".venv" / "bin" / "python"
    interpreter.unlink()
    interpreter.symlink_to("/nowhere/python3")
    stand_in = f"""#!/bin/sh
        case $1 in
            -m) mkdir -p "$4/bin"; rm -f "$4/bin/python"; cp {shlex.quote(str(bare))}/noter "$4/bin/python";;
            *) exec {PYTHON} "$@";;
        esac
        """
    write_command(bare / "noter", NOTER)
    write_command(bare / "python3", stand_in)
    for name in ("cp", "rm"):
        (bare / name).symlink_to(str(shutil.which(name)))
    answer = clone.call("run")
    assert "making a virtual environment" in answer.stderr
    assert answer.returncode == 0
    assert clone.noted[-1]["words"][0] == ".venv/bin/twistd"


def test_test_takes_a_browser_that_works_not_the_stub(clone: Clone, bare: Path) -> None:
    stub = "#!/bin/sh\necho \"Command '$0' requires the chromium snap to be installed.\" >&2\nexit 1\n"
    write_command(bare / "chromium-browser", stub)
    write_command(bare / "fc-list", "#!/bin/sh\necho /usr/share/fonts/a.ttc\n")
    write_command(bare / "strace", "#!/bin/sh\n")
    answer = clone.call("test")
    assert answer.returncode == 1
    assert "sudo apt install chromium" in answer.stderr
    assert [note["words"][1] for note in clone.noted] == ["pip", "pip"]
    assert [note["words"][-3:] for note in clone.noted] == [
        ["--disable-pip-version-check", "-r", "requirements-dev.txt"], ["--no-deps", "-r", "requirements-data.txt"],
    ]  # fmt: skip

    # A few tests that were asked for by name are run without.
    assert clone.call("test", "tests/storage").returncode == 0
    assert clone.noted[-1]["words"] == ["-m", "pytest", *TWO, "tests/storage"]

    write_command(bare / "google-chrome", "#!/bin/sh\necho Google Chrome 131.0.6778.85\n")
    answer = clone.call("test", "--long", "-k", "a b")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    assert clone.noted[-1]["words"] == ["-m", "pytest", *TWO, "--long", "-k", "a b"]
    found = shutil.which("chromium", path=str(clone.noted[-1]["PATH"]))
    assert found is not None
    assert Path(found).resolve() == bare / "google-chrome"
