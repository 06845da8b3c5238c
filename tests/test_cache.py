"""The cache keeps things whole or not at all, whatever happens meanwhile."""

import errno
import multiprocessing
import time
from pathlib import Path

import pytest

from octopus import cache
from octopus.cache import CacheError, exclusive, is_whole, kept


def write(text):
    """A maker of one file."""

    def make(work, log):
        log.write_text("made\n")
        (work / "file").write_text(text)

    return make


def never(work, log):
    """A maker that must not be called."""
    raise AssertionError("made again")


@pytest.mark.parametrize("name", ["plain", "mit Leerzeichen", 'Müller\'s "cache"', "$(x) `y` #z"])
def test_what_is_made_is_kept_at_any_path(tmp_path, name):
    works = []

    def make(work, log):
        works.append(work)
        write("content")(work, log)

    folder = tmp_path / name / "thing"
    for maker in (make, never):
        assert kept(folder, ["file"], maker) == folder
        assert (folder / "file").read_text() == "content"
    assert cache.PLAIN_PATH.fullmatch(str(works[0]))
    assert not works[0].exists()


@pytest.mark.parametrize("damage", ["truncate", "alter", "remove", "seal"])
def test_what_is_damaged_is_made_again(tmp_path, damage):
    folder = kept(tmp_path / "thing", ["file"], write("content"))
    path = folder / (cache.SEAL if damage == "seal" else "file")
    if damage == "remove":
        path.unlink()
    else:
        path.write_text({"truncate": "cont", "alter": "Content", "seal": "{"}[damage])
    assert not is_whole(folder, ["file"])
    said = []
    kept(folder, ["file"], write("content"), said.append)
    assert is_whole(folder, ["file"])
    assert "damaged" in said[0]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt(), ValueError()]
)
@pytest.mark.parametrize("parent", ["plain", "with space"])
def test_a_failure_leaves_nothing_but_the_log(tmp_path, error, parent):
    works = []

    def make(work, log):
        works.append(work)
        write("half")(work, log)
        raise error

    folder = tmp_path / parent / "thing"
    with pytest.raises(type(error)):
        kept(folder, ["file"], make)
    assert {path.name for path in folder.parent.iterdir()} == {"thing.lock", "thing.log"}
    assert not works[0].exists()
    kept(folder, ["file"], write("whole"))
    assert (folder / "file").read_text() == "whole"


def test_what_a_killed_process_left_does_no_harm(tmp_path):
    (tmp_path / "thing.partial").mkdir()
    (tmp_path / "thing.partial" / "file").write_text("half")
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing" / "file").write_text("half")
    folder = kept(tmp_path / "thing", ["file"], write("whole"))
    assert (folder / "file").read_text() == "whole"


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    def refuse(folder, say):
        if folder.is_relative_to(tmp_path):
            raise OSError(errno.EROFS, "Read-only file system")
        return exclusive(folder, say)

    monkeypatch.setattr(cache, "exclusive", refuse)
    said = []
    folder = kept(tmp_path / "thing", ["file"], write("content"), said.append)
    assert (folder / "file").read_text() == "content"
    assert not folder.is_relative_to(tmp_path)
    assert "cannot be written" in said[0]


def test_what_a_read_only_cache_holds_is_used(tmp_path, monkeypatch):
    kept(tmp_path / "thing", ["file"], write("content"))

    def refuse(folder, say):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(cache, "exclusive", refuse)
    assert kept(tmp_path / "thing", ["file"], never) == tmp_path / "thing"


def test_a_cache_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "cache").write_text("")
    with pytest.raises(CacheError, match="not a folder"):
        kept(tmp_path / "cache" / "thing", ["file"], write("content"))


def _slowly(folder, started):
    def make(work, log):
        with (Path(folder).parent / "makers").open("a") as file:
            file.write("x")
        started.set()
        time.sleep(0.3)
        write("content")(work, log)

    kept(Path(folder), ["file"], make)


def test_two_processes_make_one_thing(tmp_path):
    context = multiprocessing.get_context("fork")
    started = context.Event()
    folder = tmp_path / "thing"
    first = context.Process(target=_slowly, args=(folder, started))
    first.start()
    assert started.wait(10)
    said = []
    kept(folder, ["file"], never, said.append)
    first.join()
    assert first.exitcode == 0
    assert "waiting" in said[0]
    assert (tmp_path / "makers").read_text() == "x"
