"""What every model of the policy file is, and the texts that several of them take."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ecr_warden.domain.globs import glob_problem
from ecr_warden.domain.tag_patterns import pattern_problem


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


RepositoryGlob = Annotated[str, AfterValidator(_sound_glob)]
TagPattern = Annotated[str, AfterValidator(_sound_pattern)]
Text = Annotated[str, Field(min_length=1)]


class Model(BaseModel):
    """An object of the policy file, which has no keys but its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
