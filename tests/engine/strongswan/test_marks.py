"""A gateway's mark is compared whole: two ids whose names are alike never see what belongs to each other."""

from pathlib import Path

import pytest

from landbridge.engine.strongswan import marks, names

OURS = "b32d91a4-0c4b-4f57-8a5e-1d0f6a1b2c3d"
ALIKE = "b32d91a4-0c4b-4aaa-9999-000000000000"


def test_two_ids_may_have_one_name_and_one_of_them_has_the_mark(tmp_path: Path):
    folder = tmp_path / names.short(OURS)
    assert folder.name == names.short(ALIKE)
    marks.write(folder, OURS)
    marks.check(folder, OURS)
    with pytest.raises(OSError, match=f"is the folder of another gateway, {OURS}"):
        marks.check(folder, ALIKE)
    assert marks.find(tmp_path) == {OURS: folder}


def test_folders_that_are_known_are_left_out(tmp_path: Path):
    folders = {}
    for gateway_id in (OURS, "c" + OURS[1:]):
        folders[gateway_id] = tmp_path / names.short(gateway_id)
        marks.write(folders[gateway_id], gateway_id)
    assert marks.find(tmp_path) == folders
    assert marks.find(tmp_path, but={names.short(OURS)}) == {"c" + OURS[1:]: folders["c" + OURS[1:]]}
    assert marks.find(tmp_path / "nothing") == {}


def test_a_mark_that_does_not_fit_its_folder_is_nobodys(tmp_path: Path):
    for folder, mark in (("aaaaaaaaaaaa", OURS), ("b32d91a40c4b", ""), ("cccccccccccc", "cccccccccccc\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / marks.NAME).write_text(mark)
    (tmp_path / "dddddddddddd").mkdir()
    (tmp_path / "dddddddddddd" / marks.NAME).write_bytes(b"\xff\xfe")
    assert marks.find(tmp_path) == {}


def test_an_empty_mark_is_none_and_is_written_again(tmp_path: Path):
    """The power went after the name was there and before its content was."""
    folder = tmp_path / names.short(OURS)
    folder.mkdir()
    (folder / marks.NAME).touch()
    assert marks.read(folder) is None
    marks.check(folder, OURS)
    marks.write(folder, OURS)
    assert marks.find(tmp_path) == {OURS: folder}
