"""What every model of the policy file is, and the texts that several of them take."""

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from ecr_warden.domain.globs import glob_problem
from ecr_warden.domain.tag_patterns import pattern_problem

_ISO_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
# The type of errors about numbers of a range.
WHOLE_NUMBER: Final = "whole_number"


def _sound_glob(glob: str) -> str:
    problem = glob_problem(glob)
    if problem is not None:
        raise ValueError(f"{glob!r}: {problem}")
    return glob


def _sound_pattern(pattern: str) -> str:
    problem = pattern_problem(pattern)
    if problem is not None:
        raise ValueError(f"{pattern!r}: {problem}")
    return pattern


def whole_number(least: int, most: int | None = None) -> Callable[[object], object]:
    """Refuse what is no whole number of a range, in words that name the range."""
    wanted = f"{least}" if most is None else f"{least} to {most}"

    def checked(value: object) -> object:
        # A bool is an int to Python.
        if type(value) is int and least <= value and (most is None or value <= most):
            return value
        raise PydanticCustomError(WHOLE_NUMBER, "expected a whole number from {wanted}", {"wanted": wanted})

    return checked


def _iso_date(value: object) -> object:
    # Pydantic takes a number, and a text that is one, for seconds since 1970.
    if not isinstance(value, str) or not _ISO_DATE.fullmatch(value):
        raise ValueError(f"until: expected a date such as 2026-12-31, got {value!r}")
    return value


RepositoryGlob = Annotated[str, AfterValidator(_sound_glob)]
TagPattern = Annotated[str, AfterValidator(_sound_pattern)]
Text = Annotated[str, Field(min_length=1)]
LastDay = Annotated[date, BeforeValidator(_iso_date)]


class Model(BaseModel):
    """An object of the policy file, which has no keys but its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
