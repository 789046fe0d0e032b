"""A simulation as people read it on a terminal."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ecr_warden.domain.lifecycle_simulation import SimulatedImage, Simulation
from ecr_warden.domain.simulation.findings import ago
from ecr_warden.domain.texts import some
from ecr_warden_cli.simulation.comparing import Disagreement
from ecr_warden_cli.simulation.listing import Listing

_GROUPS: Final = (("expire", "red"), ("archive", "yellow"), ("keep", "green"))
_MOST_TAGS: Final = 3
# Nobody reads more on a terminal, and laying out a hundred thousand rows takes half a minute.
_MOST_ROWS: Final = 1000
_DIGEST: Final = 19
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP: Final = 1024


def show_simulation(out: Console, listing: Listing, found: Simulation, now: datetime) -> None:
    """Show what is expired, archived and kept, each with its reason, and last how many and how large."""
    images = {image.digest: image for image in listing.images}
    groups = {"expire": found.expire, "archive": found.archive, "keep": found.keep}
    for name, colour in _GROUPS:
        if groups[name]:
            out.print(Text(f"{name} ({len(groups[name]):,})", f"bold {colour}"))
            shown = groups[name][:_MOST_ROWS]
            out.print(_table([images[digest] for digest in shown], listing, found, now))
            if len(shown) < len(groups[name]):
                out.print(Text(f"  … and {len(groups[name]) - len(shown):,} more: --json has them all"))
    for name, colour in _GROUPS:
        out.print(Text.assemble((f"{name:8}", colour), _total(groups[name], listing)))


def show_agreement(out: Console, differing: tuple[Disagreement, ...]) -> None:
    """Show where ECR's preview says something else, or that it says the same."""
    if not differing:
        out.print(Text("ECR's own preview says the same.", "green"))
        return
    out.print(Text(f"ECR's own preview differs in {len(differing):,} of the images:", "bold red"))
    for one in differing:
        out.print(Text(f"{one.digest}"))
        out.print(Text(f"    here: {one.ours}: {one.reason}"))
        by = "" if one.ecr_rule is None else f", by rule {one.ecr_rule}"
        out.print(Text(f"    ECR:  {one.ecrs}{by}"))


def _table(images: Iterable[SimulatedImage], listing: Listing, found: Simulation, now: datetime) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("  digest", no_wrap=True)
    table.add_column("tags", overflow="fold")
    table.add_column("pushed")
    if listing.sizes:
        table.add_column("size", justify="right", no_wrap=True)
    table.add_column("why", ratio=1, overflow="fold")
    for image in images:
        size = [_bytes(listing.sizes[image.digest])] if image.digest in listing.sizes else [""]
        cells = [
            f"  {image.digest[:_DIGEST]}",
            some(image.tags, _MOST_TAGS) if image.tags else "(none)",
            ago(now - image.pushed_at),
            *(size if listing.sizes else []),
            found.reasons[image.digest],
        ]
        # Tags and descriptions are other people's: none of it is markup.
        table.add_row(*map(Text, cells))
    return table


def _total(digests: tuple[str, ...], listing: Listing) -> str:
    number = f"{len(digests):,} image{'' if len(digests) == 1 else 's'}"
    known = [listing.sizes[digest] for digest in digests if digest in listing.sizes]
    if not known:
        return number
    at_least = "" if len(known) == len(digests) else "at least "
    return f"{number}, {at_least}{_bytes(sum(known))} ({sum(known):,} bytes)"


def _bytes(number: float) -> str:
    for unit in _UNITS[:-1]:
        if number < _STEP:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= _STEP
    return f"{number:.1f} {_UNITS[-1]}"
