"""Who trains says that they may, and it is kept with the dataset."""

import pytest
from PIL import Image

from lorasmith.curation.rights import confirm, confirmed
from lorasmith.dataset_folder import RIGHTS
from lorasmith.errors import DatasetError, InputError


@pytest.fixture
def dataset(tmp_path):
    for i in range(3):
        Image.new("RGB", (32, 32), (i, 0, 0)).save(tmp_path / f"{i}.png")
    return tmp_path


def test_what_was_said_is_kept_and_of_how_many_pictures(dataset):
    assert confirmed(dataset) is None
    confirm(dataset, " my own\nphotographs ")
    said = confirmed(dataset)
    assert (said.words, said.pictures) == ("my own photographs", 3)
    assert said.sentence(dataset).startswith("rights confirmed: my own photographs (3 pictures, 20")


def test_pictures_that_came_in_later_are_not_covered(dataset):
    said = confirm(dataset, "CC0")
    Image.new("RGB", (32, 32), "white").save(dataset / "new.png")
    assert "1 more picture came in since" in said.sentence(dataset)


def test_no_words_and_a_damaged_file_are_errors(dataset):
    with pytest.raises(InputError, match="where the rights come from"):
        confirm(dataset, "  ")
    confirm(dataset, "mine")
    (dataset / RIGHTS).write_text("{")
    with pytest.raises(DatasetError, match="delete it and confirm"):
        confirmed(dataset)
