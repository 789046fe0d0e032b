"""Pages in a real browser: opened from files, and caught where they do what they must not."""

import os
import shutil
from contextlib import contextmanager

import pytest
from playwright.sync_api import sync_playwright

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

needs_browser = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium: `apt-get install chromium` lets the page be looked at"
)


@contextmanager
def launched():
    # Chromium's own sandbox does not work for root, as in containers.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=BROWSER, args=arguments)
        yield found
        found.close()


@contextmanager
def opened(browser, path, *, width, scheme, ready=lambda _page: None):
    """Open a file, and find what it did that it must not do: ask, load, complain. ``ready`` waits for it."""
    seen = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    done = []
    seen.on("dialog", lambda dialog: (done.append(f"dialog {dialog.message}"), dialog.dismiss()))
    seen.on("request", lambda request: done.append(f"request {request.url[:80]}"))
    seen.on("console", lambda message: done.append(f"console {message.text}"))
    seen.on("pageerror", lambda error: done.append(f"error {error}"))
    seen.goto(path.as_uri())
    ready(seen)
    # A page that is there is one request.
    assert done.pop(0) == f"request {path.as_uri()[:80]}"
    yield seen
    seen.close()
    assert done == []
