"""Take the picture of the README: `make preview-picture`, with Chromium and pngquant installed."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from playwright.sync_api import Page, sync_playwright

from ecr_warden.domain.outcomes import Outcome, OutcomeKind
from ecr_warden.domain.policy import Channel, ChannelType
from ecr_warden_cli.preview.messages import Gathered
from ecr_warden_cli.preview.page import page
from ecr_warden_cli.preview.previews import previews
from ecr_warden_cli.preview.samples import sample

_PICTURE: Final = Path(__file__).with_suffix(".png")
_WIDTH: Final = 1280
_CHANNELS: Final = (
    Channel("secops", 0, ChannelType.SLACK, secret="preview"),  # noqa: S106  # names none
    Channel("incidents", 0, ChannelType.SLACK, secret="preview", conversation="C0123ABCD"),  # noqa: S106
    Channel("ops", 0, ChannelType.SNS),
)
# The page as it is, but for what is there to be clicked; what is longer than a picture fades out.
_STYLE: Final = """
header.page, nav, .about, section > h2, details, .skip { display: none !important; }
.columns { display: block; padding: 28px; max-width: none; }
.picture { display: grid; grid-template-columns: minmax(0, 1.06fr) minmax(0, 1fr); gap: 24px; }
.picture > div { display: flex; flex-direction: column; gap: 24px; }
article { margin: 0 !important; position: relative; }
.faded { flex: 1 1 0; min-height: 0; overflow: hidden; }
.faded::after { content: ""; position: absolute; inset: auto 0 0; height: 72px; }
.faded::after { background: linear-gradient(transparent, var(--card)); }
.faded .limits { display: none; }
.begun { max-height: 172px; overflow: hidden; mask: linear-gradient(#000 60%, transparent); }
"""
_ARRANGE: Final = """() => {
  const [secops, thread, mail] = document.querySelectorAll('article');
  const column = (...parts) => {
    const one = document.createElement('div');
    one.append(...parts);
    return one;
  };
  // Of the message that is settled its beginning is enough: below it stands the answer.
  const begun = column(...thread.querySelectorAll('.seen > .slack > .said > .block'));
  begun.className = 'begun';
  thread.querySelector('.edited').before(begun);
  for (const card of [thread, mail]) card.classList.add('faded');
  const picture = document.createElement('div');
  picture.className = 'picture';
  picture.append(column(secops), column(thread, mail));
  document.querySelector('main').replaceChildren(picture);
}"""


def _burst() -> list[Outcome]:
    """Give what a pipeline causes that pushes `latest` everywhere, and a few things beside it."""
    denied = sample(OutcomeKind.TAG_VIOLATION)
    pushed = [
        replace(denied, id=f"{denied.id}-{number}", repository=f"shop/service-{number}")
        for number in range(37)
    ]
    others = (OutcomeKind.REPLICATION_FAILED, OutcomeKind.SCAN_FAILED, OutcomeKind.REPOSITORY_INCOMPLETE)
    return [*pushed, *map(sample, others)]


def _html() -> str:
    secops, incidents, ops = _CHANNELS
    story = [sample(OutcomeKind.IMAGE_VULNERABLE), sample(OutcomeKind.IMAGE_RECOVERED)]
    told = (
        *previews(story, [secops], Gathered.EACH)[:1],
        *previews(story, [incidents], Gathered.EACH)[1:],
        *previews(_burst(), [ops], Gathered.DIGEST),
    )
    return page(told, made_of="made of samples")


def _take(shown: Page) -> None:
    shown.add_style_tag(content=_STYLE)
    shown.evaluate(_ARRANGE)
    shown.locator("body").screenshot(path=_PICTURE, type="png")
    # Of colours it has few: so it is a quarter of the size, and looks the same.
    subprocess.run(  # noqa: S603  # the arguments are ours
        [_installed("pngquant"), "--force", "--strip", "--speed", "1", "--ext", ".png", str(_PICTURE)],
        check=True,
    )


def _installed(name: str) -> str:
    return shutil.which(name) or sys.exit(f"no {name} here: apt-get install {name}")


def main() -> None:
    """Write the picture beside this file."""
    browser = _installed("chromium")
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "page.html"
        path.write_text(_html(), encoding="utf-8")
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        shown = opened.new_page(viewport={"width": _WIDTH, "height": 800}, color_scheme="light")
        shown.goto(path.as_uri())
        _take(shown)
        opened.close()


if __name__ == "__main__":
    main()
