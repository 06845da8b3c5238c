"""An emission writes and removes its own files, and nothing else, whatever lies in the folder."""

import json

import pytest

from octopus.hw import emitted_folder
from octopus.hw.emitted_folder import EmissionError, check_folder, read_manifest, write_folder

LISTS = ["filelist.f", "filelist_absolute.f"]


def _emit(folder, **texts):
    modules = [
        {"name": f"octopus_{name}", "instances": 1, "lines": 1, "parameters": {}} for name in texts
    ]
    write_folder({f"octopus_{name}": text for name, text in texts.items()}, modules, folder, {})


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_manifest_that_names_files_elsewhere_is_refused_and_deletes_nothing(tmp_path):
    out = tmp_path / "out"
    _emit(out, top="module a;")
    victim = tmp_path / "victim.v"
    victim.write_text("mine")
    manifest = json.loads((out / "manifest.json").read_text())
    for name in ("../victim", str(tmp_path / "victim"), "octopus_../../victim"):
        manifest["modules"][0]["name"] = name
        (out / "manifest.json").write_text(json.dumps(manifest))
        with pytest.raises(EmissionError, match=r"manifest\.json"):
            check_folder(out)
        _emit(out, other="module b;")
        assert victim.read_text() == "mine"


def test_names_beyond_the_modules_are_not_believed(tmp_path):
    _emit(tmp_path, top="module a;")
    (tmp_path / "notes.v").write_text("mine")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["files"]["notes.v"] = [emitted_folder._digest(b"mine")]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    _emit(tmp_path, top="module b;")
    assert (tmp_path / "notes.v").read_text() == "mine"


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"name": "left-pad", "version": "1.0"}', '{"modules": [{}]}', "\x00"]
)
def test_a_foreign_manifest_is_refused_in_one_line(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(EmissionError) as refused:
        check_folder(tmp_path)
    assert str(tmp_path / "manifest.json") in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_folder_with_other_files_is_refused_without_force(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(EmissionError, match="--force"):
        check_folder(tmp_path)
    check_folder(tmp_path, force=True)
    with pytest.raises(EmissionError, match="not a folder"):
        check_folder(tmp_path / "notes.txt", force=True)
    check_folder(tmp_path / "new")


def test_changed_files_are_neither_overwritten_nor_removed(tmp_path):
    _emit(tmp_path, one="module a;", two="module b;")
    (tmp_path / "octopus_one.v").write_text("module mine;")
    with pytest.raises(EmissionError, match=r"octopus_one\.v.*--force"):
        check_folder(tmp_path)
    _emit(tmp_path, two="module b;")  # what --force does: the changed file has left the design
    assert (tmp_path / "octopus_one.v").read_text() == "module mine;"
    check_folder(tmp_path)


def test_what_left_the_design_is_removed(tmp_path):
    _emit(tmp_path, one="module a;", two="module b;")
    _emit(tmp_path, two="module c;")
    assert _names(tmp_path) == [*LISTS, "manifest.json", "octopus_two.v"]
    assert (tmp_path / "octopus_two.v").read_text() == "module c;"


def test_a_link_is_replaced_and_not_followed(tmp_path):
    out = tmp_path / "out"
    _emit(out, one="module a;")
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (out / "octopus_one.v").unlink()
    (out / "octopus_one.v").symlink_to(victim)
    _emit(out, one="module b;")
    assert victim.read_text() == "mine"
    assert (out / "octopus_one.v").read_text() == "module b;"


@pytest.mark.parametrize("last", range(7))
def test_an_interrupted_emission_can_be_repeated(tmp_path, monkeypatch, last):
    _emit(tmp_path, one="module a;", two="module b;")
    written = []
    whole = emitted_folder._write

    def until_interrupted(path, content):
        if len(written) == last:
            raise KeyboardInterrupt
        written.append(path)
        whole(path, content)

    monkeypatch.setattr(emitted_folder, "_write", until_interrupted)
    with pytest.raises(KeyboardInterrupt):
        _emit(tmp_path, two="module c;", three="module d;", four="module e;")
    monkeypatch.undo()
    check_folder(tmp_path)
    _emit(tmp_path, two="module c;", three="module d;", four="module e;")
    expected = ["octopus_four.v", "octopus_three.v", "octopus_two.v"]
    assert _names(tmp_path) == [*LISTS, "manifest.json", *expected]
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert all(len(digests) == 1 for digests in manifest.files.values())
