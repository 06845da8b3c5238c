"""The command line: what a user can mend is one line and exit code 2."""

import sys

import pytest

from octopus.hw.emitted_folder import write_folder
from octopus.hw.host.register_documents import FORMATS
from octopus.sim.chip import Chip
from octopus.sim.cli import main
from octopus.sim.command import INTERRUPTED, MISUSE


@pytest.fixture
def octopus(monkeypatch, capsys):
    """Runs a command; its exit code, output and error output."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["octopus", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return run


@pytest.fixture
def no_compiler(monkeypatch, tmp_path):
    """A path without programs, and nothing cached."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("OCTOPUS_CACHE", str(tmp_path / "cache"))


def _says(result, *words):
    code, _, message = result
    assert code == MISUSE
    assert message.startswith("octopus: ")
    assert message.count("\n") == 1, message
    for word in words:
        assert word in message, message


@pytest.mark.parametrize("command", ["emit", "run", "config"])
def test_an_invalid_configuration_is_named(octopus, tmp_path, command):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\n[mesh]\nrows = 99\ncolumns = 1\n')
    arguments = {
        "emit": ["emit", "--config", path, "--out", tmp_path / "out"],
        "run": ["run", "cascade", "--config", path],
        "config": ["config", path],
    }[command]
    _says(octopus(*arguments), "mine.toml", "mesh.rows is 99", "1 to 32")


@pytest.mark.parametrize("command", ["emit", "run"])
def test_a_missing_configuration_is_named(octopus, tmp_path, command):
    arguments = [command, "--config", "nowhere"]
    arguments += ["--out", tmp_path / "out"] if command == "emit" else ["cascade"]
    _says(octopus(*arguments), "'nowhere'", "tiny, ulx3s, default, scale")


def test_an_unknown_workflow_is_named(octopus):
    _says(octopus("run", "casade", "--config", "tiny"), "casade", "cascade")


def test_an_unknown_policy_is_named(octopus):
    _says(octopus("run", "cascade", "--config", "tiny", "--policy", "luck"), "luck")


def test_a_missing_compiler_is_named(octopus, no_compiler):
    _says(octopus("run", "cascade", "--config", "tiny"), "g++", "apt-get install")


def test_lint_names_a_folder_that_is_none(octopus, tmp_path):
    _says(octopus("lint", tmp_path / "nothing"), "manifest.json")


def test_lint_needs_a_compiler_too(octopus, no_compiler, tmp_path):
    module = {"name": "octopus_t", "instances": 1, "lines": 1, "parameters": {}}
    write_folder({"octopus_t": "module octopus_t(); endmodule\n"}, [module], tmp_path, {})
    _says(octopus("lint", tmp_path), "not found")


def test_emit_spares_what_is_there(octopus, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    _says(octopus("emit", "--config", "tiny", "--out", tmp_path), "--force")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


FILE, FOLDER, MISSING = "a_file", "a_folder", "missing/folder"
WAVES = ("run", "cascade", "--waves", "w.fst", "--wave-cycles")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run",), ["workflow"]),
        (("run", ""), ["workflow is ''", "cascade"]),
        (("run", "cascade", "more"), ["more"]),
        (("run", "cascade", "--nonsense"), ["--nonsense"]),
        (("nonsense",), ["nonsense"]),
        (("run", "cascade", "--instances", "0"), ["--instances", "'0'", "1 to 1,000,000"]),
        (("run", "cascade", "--instances", "-1"), ["'-1'", "1 to 1,000,000"]),
        (("run", "cascade", "--instances", "1000000000000"), ["1 to 1,000,000"]),
        (("run", "cascade", "--instances", "many"), ["'many'", "1 to 1,000,000"]),
        (("run", "cascade", "--instances", "9" * 5000), ["1 to 1,000,000"]),
        (("run", "cascade", "--seed", "-1"), ["--seed", "'-1'"]),
        (("run", "cascade", "--seed", "1e3"), ["--seed", "'1e3'"]),
        (("run", "cascade", "--report", FILE), ["--report", FILE, "not a folder"]),
        (("run", "cascade", "--report", f"{FILE}/x"), ["--report", "Not a directory"]),
        (("run", "cascade", "--report", "/proc/x"), ["--report", "/proc/x"]),
        (("run", "cascade", "--report", ""), ["--report", "allowed: a path"]),
        (("run", "cascade", "--report", "x" * 300), ["--report", "name too long"]),
        (("run", "cascade", "--waves", FOLDER), ["--waves", "which is a folder"]),
        (("run", "cascade", "--waves", f"{MISSING}/w.fst"), ["--waves", "does not exist"]),
        (("run", "cascade", "--waves", "/proc/w.fst"), ["--waves", "/proc/w.fst"]),
        (("run", "cascade", "--wave-cycles", "0:5"), ["--wave-cycles needs --waves"]),
        ((*WAVES, "5:1"), ["'5:1'", "FIRST below END"]),
        ((*WAVES, "5"), ["'5'", "FIRST:END"]),
        ((*WAVES, "-1:5"), ["'-1:5'"]),
        ((*WAVES, "0:" + "9" * 5000), ["FIRST:END"]),
        (("run", "cascade", "--config", FOLDER), [FOLDER, "Is a directory", "tiny"]),
        (("run", "cascade", "--config", ""), ["config is ''"]),
        (("run", "cascade", "--config", "/dev/zero"), ["/dev/zero", "no configuration"]),
        (("emit", "--config", "tiny", "--out", FILE), ["--out", FILE]),
        (("emit", "--config", "tiny", "--out", "/proc/x"), ["--out", "/proc/x"]),
        (("emit", "--config", "tiny", "--out", ""), ["--out", "allowed: a path"]),
        (("emit", "--config", "tiny"), ["--out"]),
        (("kernel", "run", "gemm", "--units", "9"), ["--units", "'9'", "1 to 8"]),
        (("kernel", "run", "gemm", "--seed", "x"), ["--seed", "'x'"]),
        (("lint", FILE), [FILE, "manifest.json"]),
    ],
)
def test_arguments_are_refused_before_any_work(octopus, monkeypatch, tmp_path, arguments, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OCTOPUS_CACHE", str(tmp_path / "cache"))
    (tmp_path / FILE).write_text("")
    (tmp_path / FOLDER).mkdir()
    _says(octopus(*arguments), *words)
    assert {path.name for path in tmp_path.iterdir()} == {FILE, FOLDER}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"mesh = 3",
        b"[mesh]\nrows = 'many'",
        b"[[mesh]]\nrows = 1",
        b'"" = 1',
        b"x = " + b"[" * 5000,
        b"[mesh.rows]\nx = 1",
        b"name = 1979-05-27T07:32:00Z",
        b"#" * 1_000_001,
    ],
)
def test_a_broken_configuration_is_one_line(octopus, tmp_path, content):
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    _says(octopus("config", path), "mine.toml")


def test_an_interrupt_leaves_a_report_of_what_ended(octopus, monkeypatch, tmp_path):
    waits = 0
    wait = Chip.wait_for_interrupt

    def interrupted(chip, limit_cycles):
        nonlocal waits
        waits += 1
        if waits == 4:
            raise KeyboardInterrupt
        return wait(chip, limit_cycles)

    monkeypatch.setattr(Chip, "wait_for_interrupt", interrupted)
    command = ["run", "cascade", "--config", "tiny", "--instances", "20"]
    code, out, error = octopus(*command, "--report", tmp_path / "out")
    assert code == INTERRUPTED
    assert "of 20 instances had ended" in out
    assert error == "octopus: interrupted\n"
    assert (tmp_path / "out" / "index.html").exists()


@pytest.mark.parametrize("form", FORMATS)
def test_registers_are_printed_in_every_form(octopus, form):
    code, out, _ = octopus("registers", "--format", form)
    assert code == 0
    assert out == FORMATS[form]()


def test_an_unknown_form_is_named(octopus):
    _says(octopus("registers", "--format", "xml"), "xml", "c, markdown, json")


def test_lists(octopus):
    code, out, _ = octopus("list")
    assert code == 0
    assert "cascade" in out
    assert "default" in out
