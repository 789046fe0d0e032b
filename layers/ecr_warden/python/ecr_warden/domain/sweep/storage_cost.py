"""What images cost a month: an estimate from above, by their sizes."""

from typing import Final

# Dollars for a GB and month of standard storage, in most Regions: https://aws.amazon.com/ecr/pricing/, as of
# March 2026. Archived images cost the same up to 150 TB in a Region, and 70 % of it above.
PRICE_PER_GB_MONTH: Final = 0.10
PRICES_AS_OF: Final = "March 2026"
ARCHIVE_AT_FULL_PRICE: Final = 150 * 1024**4
_ARCHIVE_SHARE: Final = 0.7
_GB: Final = 1024**3


def monthly_cost(size: int, price: float = PRICE_PER_GB_MONTH) -> float:
    """Give the dollars that so many bytes cost a month.

    ECR bills a layer that several images of a repository share once, while each image's size has it: what is
    billed is this at most.
    """
    return size / _GB * price


def monthly_cost_of_registry(standard: int, archived: int, price: float = PRICE_PER_GB_MONTH) -> float:
    """Give the dollars that a registry's bytes cost a month, by storage class."""
    above = max(archived - ARCHIVE_AT_FULL_PRICE, 0)
    return monthly_cost(standard + archived - above, price) + monthly_cost(above, price * _ARCHIVE_SHARE)
