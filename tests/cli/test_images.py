from pathlib import Path
from typing import Any

import pytest
from cli.command_line import CommandLine
from cli.working import stored_images

from service.keys import NewKey
from service.wiring import Wiring


@pytest.fixture
def stored(darkroom: CommandLine, wiring: Wiring, key: NewKey) -> list[dict[str, Any]]:
    """Three images of this test's project, as the API shows them."""
    stored_images(wiring, key, 3)
    return [job["images"][0] for job in darkroom("jobs", "list", "--json").lines]


def file_of(image: dict[str, Any]) -> str:
    return f"{image['id']}.{image['key'].rpartition('.')[2]}"


def outcomes(lines: list[Any]) -> dict[str, str]:
    return {line["id"]: line["outcome"] for line in lines}


def test_a_download_is_taken_up_where_it_stopped(
    darkroom: CommandLine, wiring: Wiring, stored: list[dict[str, Any]], tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "folder"
    command = ("images", "download", "--all", "--to", str(folder), "--json")
    assert outcomes(darkroom(*command).lines) == {image["id"]: "saved" for image in stored}
    kept, broken, lost = stored
    (folder / file_of(lost)).unlink()
    (folder / file_of(broken)).write_bytes(b"half")
    (folder / f"{file_of(lost)}.part").write_bytes(b"half")
    assert outcomes(darkroom(*command).lines) == {
        kept["id"]: "present",
        broken["id"]: "saved",
        lost["id"]: "saved",
    }
    for image in stored:
        original = wiring.object_store.get(image["bucket"], image["key"])
        assert (folder / file_of(image)).read_bytes() == original
    assert {path.name for path in folder.iterdir()} == set(map(file_of, stored))


def test_images_of_jobs_handed_in_since_a_moment_are_saved(
    darkroom: CommandLine, stored: list[dict[str, Any]], tmp_path: Path
) -> None:
    command = ("images", "download", "--to", str(tmp_path), "--json", "--since")
    assert darkroom(*command, "2100-01-01").out == ""
    found = darkroom(*command, "2026-01-01T00:00:00Z").lines
    assert outcomes(found) == {image["id"]: "saved" for image in stored}


def test_a_cut_download_goes_on_from_its_bytes(
    darkroom: CommandLine, wiring: Wiring, stored: list[dict[str, Any]], tmp_path: Path
) -> None:
    image = stored[0]
    original = wiring.object_store.get(image["bucket"], image["key"])
    (tmp_path / f"{file_of(image)}.part").write_bytes(original[:1000])
    # what is there already is not asked for: else the bucket's new first byte would be saved
    altered = bytes([original[0] ^ 1]) + original[1:]
    wiring.object_store.put_bytes(image["key"], altered, image["content_type"])
    assert darkroom("images", "download", "--to", str(tmp_path), image["id"]).code == 0
    assert (tmp_path / file_of(image)).read_bytes() == original


def test_an_altered_object_is_named_and_not_saved(
    darkroom: CommandLine, wiring: Wiring, stored: list[dict[str, Any]], tmp_path: Path
) -> None:
    bad, *good = stored
    content = bytearray(wiring.object_store.get(bad["bucket"], bad["key"]))
    content[-1] ^= 1
    wiring.object_store.put_bytes(bad["key"], bytes(content), bad["content_type"])
    unknown = f"img_{'0' * 32}"
    done = darkroom(
        *("images", "download", "--to", str(tmp_path), unknown),
        *(image["id"] for image in stored),
    )
    assert done.code == 1
    assert done.err.splitlines() == [
        f"failed   {unknown}: There is no such image.",
        f"failed   {bad['id']}: the bucket's bytes are not those that were stored",
    ]
    assert {path.name for path in tmp_path.iterdir()} == set(map(file_of, good))


def test_images_are_named_or_all_are_asked_for(darkroom: CommandLine) -> None:
    assert darkroom("images", "download").code == 2
    assert darkroom("images", "download", "--all", "img_1").code == 2
    assert darkroom("images", "download", "--all", "--since", "2026-01-01").code == 2


def test_a_directory_that_cannot_be_made_is_told(darkroom: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = darkroom("images", "download", "--all", "--to", str(tmp_path / "file" / "below"))
    assert (done.code, done.err) == (1, f"Error: {tmp_path}/file/below: Not a directory\n")
