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


class SettingsError(EcrWardenError):
    """Report an environment variable that is missing or wrong. A person must mend the template."""


class AwsError(EcrWardenError):
    """Report an AWS call that failed. Lambda tries the event again, later."""


class CredentialsError(AwsError):
    """Report credentials that AWS does not take (any more). Every further call would fail as well."""


class RepositoryGoneError(EcrWardenError):
    """Report a repository that does not exist (any more). There is nothing left to do in it."""


class ImageGoneError(EcrWardenError):
    """Report an image that does not exist (any more). There is nothing left to do about it."""


class NotReadyError(AwsError):
    """Report findings that the registry does not have yet. Lambda tries the event again, later."""


class RefusedError(EcrWardenError):
    """Report a change that ECR refuses for good, with ECR's reason. Trying again cannot help."""


class BusyError(EcrWardenError):
    """Report that ECR is at something of which it does one at a time. It can be asked again later."""


class UnfinishedError(EcrWardenError):
    """Report work whose time was over before its end. What was done is kept, and the next try goes on."""


class ChannelError(EcrWardenError):
    """Report a message that a channel did not take.

    Attributes
    ----------
    retry_after
        Seconds to wait, where the channel said so.
    surely_failed
        Whether the channel certainly did not take it. If not, it may have, and is told again late
        rather than never.
    is_refused
        Whether the channel will never take this very message. Another one it may.

    """

    def __init__(
        self,
        problem: str,
        *,
        retry_after: int | None = None,
        surely_failed: bool = True,
        is_refused: bool = False,
    ) -> None:
        super().__init__(problem)
        self.retry_after = retry_after
        self.surely_failed = surely_failed
        self.is_refused = is_refused
