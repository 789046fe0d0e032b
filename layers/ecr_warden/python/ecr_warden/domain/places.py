"""Where a registry is."""

from dataclasses import dataclass
from typing import Final

# What is of the registry as a whole, or of several, has it in place of a repository's name.
REGISTRY: Final = "*"


@dataclass(frozen=True, order=True)
class Place:
    """A registry: an account's, in a Region."""

    account: str
    region: str

    def __str__(self) -> str:
        """Give it as the policy has it: account/Region."""
        return f"{self.account}/{self.region}"
