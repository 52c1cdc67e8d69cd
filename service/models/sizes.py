"""How large an image is, in three words."""

from enum import StrEnum


class Size(StrEnum):
    """A class of images by how many pixels they have."""

    #: Under a million.
    SMALL = "small"
    #: One million, and under two.
    MEDIUM = "medium"
    LARGE = "large"


#: The SQL that numbers the classes in their order, from 0 on; the index has it word for word.
SIZE_NUMBER = "LEAST(width * height / 1000000, 2)"
