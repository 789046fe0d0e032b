"""Take the picture of docs/report.md, with Chromium and pngquant installed."""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from playwright.sync_api import sync_playwright

from ecr_warden.adapters.report import write_html

sys.path.append(str(Path(__file__).parents[2] / "tests"))
from report_world import some_rows, summary  # the rows that the tests are of

_PICTURE: Final = Path(__file__).with_suffix(".png")
_ROWS: Final = 120


def _installed(name: str) -> str:
    return shutil.which(name) or sys.exit(f"no {name} here: apt-get install {name}")


def main() -> None:
    """Write the picture beside this file."""
    browser, rows = _installed("chromium"), some_rows(_ROWS)
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "report.html"
        with path.open("w", encoding="utf-8") as out:
            write_html(out, rows, summary(rows))
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        shown = opened.new_page(viewport={"width": 1280, "height": 1500}, color_scheme="light")
        shown.goto(path.as_uri())
        shown.wait_for_selector("#report:not([hidden])")
        shown.screenshot(path=_PICTURE, type="png")
        opened.close()
    # Of colours it has few: so it is a quarter of the size, and looks the same.
    subprocess.run(  # noqa: S603  # the arguments are ours
        [_installed("pngquant"), "--force", "--strip", "--speed", "1", "--ext", ".png", str(_PICTURE)],
        check=True,
    )


if __name__ == "__main__":
    main()
