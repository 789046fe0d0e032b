"""What is wrong with a policy file, and where."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, order=True)
class Problem:
    """One finding; ``line`` and ``column`` count from 1."""

    file: str
    line: int
    column: int
    message: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        """Give the form that editors jump to: file:line:column."""
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message}"
