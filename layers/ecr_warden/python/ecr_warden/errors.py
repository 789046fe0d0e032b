"""Errors that say who must act: nobody retries a MalformedEventError or a PolicyError."""


class EcrWardenError(Exception):
    """What every error of ECR Warden's own is."""


class MalformedEventError(EcrWardenError):
    """Report an event that is not what its sender promises. Trying again cannot help.

    Parameters
    ----------
    field
        The path of the field that is wrong, such as ``detail.repository-name``.
    problem
        What is wrong with it.

    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class PolicyError(EcrWardenError):
    """Report a policy that cannot be used. A person must mend the file."""
