"""The settings of the sweep's functions, which a push's function has no use for."""

from dataclasses import dataclass

from ecr_warden.domain.places import Place
from ecr_warden.errors import SettingsError
from ecr_warden.settings import VARIABLES, ActingSettings, Settings, TellingSettings


@dataclass(frozen=True, kw_only=True)
class _AtHome:
    """Where a function is, and where it reports; ``account`` and ``region`` are its own."""

    account: str
    region: str
    report_bucket_name: str

    @property
    def home(self) -> Place:
        """The function's own account and Region."""
        return Place(self.account, self.region)


@dataclass(frozen=True, kw_only=True)
class SweepPlacesSettings(_AtHome, Settings):
    """What SweepPlacesFunction's environment says; the lists are of words with commas between them.

    Attributes
    ----------
    sweep_accounts, sweep_organizational_units
        What is swept; without either, the own account.
    sweep_regions
        In which Regions; without any, the own one.

    """

    sweep_places_at_once: str
    sweep_batches_at_once: str
    sweep_tolerated_failure_percentage: str
    sweep_accounts: str = ""
    sweep_organizational_units: str = ""
    sweep_regions: str = ""


@dataclass(frozen=True, kw_only=True)
class SweepListSettings(_AtHome, Settings):
    """What SweepListFunction's environment says; ``ActingSettings`` says what is alike."""

    sweep_batch_size: str
    member_role_name: str = ""
    external_id: str = ""


@dataclass(frozen=True, kw_only=True)
class SweepBatchSettings(ActingSettings):
    """What SweepBatchFunction's environment says."""

    report_bucket_name: str
    scan_table_name: str


@dataclass(frozen=True, kw_only=True)
class SweepFinishSettings(_AtHome, TellingSettings):
    """What SweepFinishFunction's environment says."""


def words(text: str) -> tuple[str, ...]:
    """Give the words of a list with commas between them, each once."""
    return tuple(dict.fromkeys(word for part in text.split(",") if (word := part.strip())))


def number(value: str, name: str) -> int:
    """Give a setting's number, or raise ``SettingsError``."""
    try:
        return int(value)
    except ValueError as error:
        raise SettingsError(f"{VARIABLES[name]} is {value!r}: it must be a whole number") from error
