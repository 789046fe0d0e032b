"""What can go wrong with the local AWS itself."""

from ecr_warden.errors import EcrWardenError


class LocalAwsError(EcrWardenError):
    """Report that the local AWS cannot be what the template declares."""
