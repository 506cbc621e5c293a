"""A real browser, for pages made of hostile text."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def program() -> str:
    """Where Chromium is.

    Raises:
        FileNotFoundError: it is nowhere.
    """
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        raise FileNotFoundError("no Chromium; try: make programs (or set CHROMIUM to its path)")
    return found


class Watched:
    """A page, and all that it did besides being shown."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.noise: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.noise.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.noise.append(f"error: {error}"))
        page.on("dialog", self._dialog)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("popup", lambda other: self.noise.append(f"popup: {other.url}"))

    def _dialog(self, dialog) -> None:
        self.noise.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=program(), args=["--no-sandbox"])


@contextmanager
def opened(
    browser: Browser, path: Path, width: int = 1280, height: int = 900, **context
) -> Iterator[Watched]:
    """A page that is watched."""
    viewport = {"width": width, "height": height}
    window = browser.new_context(viewport=viewport, **context)
    watched = Watched(window.new_page())
    watched.page.goto(path.as_uri())
    yield watched
    window.close()
