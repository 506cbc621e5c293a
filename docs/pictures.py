"""Takes the pictures of the report that the docs show: .venv/bin/python docs/pictures.py"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import dedup

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from browser import chromium, opened  # noqa: E402

SEEDS = ("outlets.jsonl", "wadi-dump.txt")
VIEWS = (
    ("report-desktop", 1100, 720, "light", "#totals"),
    ("report-dark", 1100, 620, "dark", "#stories"),
    ("report-phone", 390, 780, "light", "#near"),
)


def main() -> None:
    """Clean the seeds and take the pictures."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        report = Path(folder) / "report.html"
        dedup.clean([ROOT / "seeds" / name for name in SEEDS], report=report)
        for name, width, height, scheme, part in VIEWS:
            with opened(browser, report, width, height, color_scheme=scheme) as watched:
                page = watched.page
                page.evaluate("document.querySelector('#stories details').open = true")
                if part != "#totals":
                    page.evaluate(f"document.querySelector('{part}').scrollIntoView()")
                    page.locator(f"{part} button").first.click() if part == "#near" else None
                page.wait_for_timeout(300)
                page.screenshot(path=ROOT / "docs" / f"{name}.png")


if __name__ == "__main__":
    main()
