"""What trafilatura's own deduplication takes out of lines: IN.jsonl OUT.jsonl.

trafilatura asks `duplicate_test` of every element while it extracts (`process_node`,
`handle_textnode`), then of the body that is left (`bare_extraction`). Here a line is a paragraph
element, and the same two questions are asked in input order, with all settings as they come: an
element goes when it has more than 100 characters and stood more than twice among the last 4096
that were asked about.
"""

from __future__ import annotations

import json
import re
import sys

from lxml.etree import Element, SubElement
from trafilatura.deduplication import duplicate_test
from trafilatura.settings import Extractor

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def main(source: str, target: str) -> None:
    options = Extractor(dedup=True)
    with open(source, encoding="utf-8") as rows, open(target, "w", encoding="utf-8") as out:
        for row in rows:
            body, gone, asked = Element("body"), [], []
            for index, line in enumerate(json.loads(row)["lines"]):
                if not line.strip():
                    continue
                asked.append(index)
                element = Element("p")
                element.text = NOT_XML.sub(" ", line)
                if duplicate_test(element, options):
                    gone.append(index)
                else:
                    SubElement(body, "p").text = element.text
            if len(body) and duplicate_test(body, options):
                gone = asked
            out.write(json.dumps(gone) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
