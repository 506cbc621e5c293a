"""How well text is extracted from Arabic pages: trafilatura beside resiliparse.

    pip install 'newsdedup[pages]' resiliparse && python benchmarks/quality/extraction.py

The pages are made here: articles of seeds/outlets.jsonl in the layouts that news sites have, with
menus, related links, captions, share buttons and footers around and between the paragraphs. A line
counts as kept when it stands in what was extracted, folded as `dedup` compares it.
"""

from __future__ import annotations

import html
import json
import time
from pathlib import Path

from dedup import fold

ROOT = Path(__file__).resolve().parents[2]
MENU = ("الرئيسية", "سياسة", "اقتصاد", "رياضة", "ثقافة", "فيديو", "اتصل بنا")
AROUND = ("شارك الخبر عبر فيسبوك", "حمّل تطبيقنا من المتجر الآن", "جميع الحقوق محفوظة للموقع",
          "اشترك في نشرتنا البريدية", "الأكثر قراءة هذا الأسبوع")  # fmt: skip


def paragraphs(lines, tag="p"):
    return "".join(f"<{tag}>{html.escape(line)}</{tag}>" for line in lines)


def links(titles):
    return "".join(f'<li><a href="/{n}">{html.escape(t)}</a></li>' for n, t in enumerate(titles))


def semantic(title, body, related):
    return (f"<header><nav><ul>{links(MENU)}</ul></nav></header><main><article><h1>{title}</h1>"
            f"{paragraphs(body)}<aside><h3>مواضيع ذات صلة</h3><ul>{links(related)}</ul></aside>"
            f"</article></main><footer>{paragraphs(AROUND)}</footer>")  # fmt: skip


def divs(title, body, related):
    return (
        f'<div class="top"><ul>{links(MENU)}</ul></div><div><h2>{title}</h2></div>'
        f'<div class="entry-content">{paragraphs(body[:2])}<div class="related"><ul>'
        f"{links(related)}</ul></div>{paragraphs(body[2:])}</div>"
        f'<div class="share">{AROUND[0]}</div><div class="foot">{paragraphs(AROUND[1:])}</div>'
    )


def breaks(title, body, related):
    text = "<br><br>".join(map(html.escape, body))
    return (f"<table><tr><td><ul>{links(MENU)}</ul></td><td><b>{title}</b><div>{text}</div>"
            f"</td><td><h4>الأكثر قراءة</h4><ul>{links(related)}</ul></td></tr></table>"
            f"<div>{AROUND[2]}</div>")  # fmt: skip


def spans(title, body, related):
    return (f'<div id="nav">{links(MENU)}</div><h1>{title}</h1><div class="article-body" dir="rtl">'
            f"{paragraphs(body, 'div')}</div><section><h3>اقرأ أيضا</h3><ul>{links(related)}</ul>"
            f"</section><footer>{paragraphs(AROUND)}</footer>")  # fmt: skip


LAYOUTS = (semantic, divs, breaks, spans)


def pages():
    rows = [json.loads(line) for line in (ROOT / "seeds/outlets.jsonl").open(encoding="utf-8")]
    told = [(row.get("title") or row.get("headline") or "",
             [line for line in (row.get("text") or row["maintext"]).split("\n") if line.strip()])
            for row in rows]  # fmt: skip
    for n, (title, body) in enumerate(told):
        related = [told[(n + k) % len(told)][0] for k in (3, 7, 11)]
        for layout in LAYOUTS:
            inner = layout(html.escape(title), body, related)
            yield (
                layout.__name__,
                body,
                related,
                (
                    f'<html lang="ar" dir="rtl"><head><meta charset="utf-8"><title>{title}</title>'
                    f"</head><body>{inner}</body></html>"
                ),
            )


def by_trafilatura(page):
    import trafilatura  # noqa: PLC0415 - either may be missing

    return trafilatura.extract(page, include_comments=False) or ""


def by_resiliparse(page):
    from resiliparse.extract.html2text import extract_plain_text  # noqa: PLC0415

    return extract_plain_text(page, main_content=True)


def main():
    print("| extractor | layout | lines kept | other lines let in | ms a page |")
    print("| --- | --- | --: | --: | --: |")
    for extract in (by_trafilatura, by_resiliparse):
        extract(next(iter(pages()))[3])
        for layout in (*(layout.__name__ for layout in LAYOUTS), "all"):
            kept = of = wrong = others = count = 0
            seconds = 0.0
            for name, body, related, page in pages():
                if layout not in (name, "all"):
                    continue
                begun = time.perf_counter()
                found = fold(extract(page))
                seconds += time.perf_counter() - begun
                count += 1
                kept += sum(fold(line) in found for line in body)
                of += len(body)
                around = [line for line in (*MENU, *AROUND, *related) if line not in body]
                # Short words of a menu stand in prose, too.
                around = [line for line in around if len(line.split()) > 2]
                wrong += sum(bool(line) and fold(line) in found for line in around)
                others += len(around)
            print(f"| {extract.__name__[3:]} | {layout} | {100 * kept / of:.1f} % | "
                  f"{100 * wrong / others:.1f} % | {1000 * seconds / count:.1f} |")  # fmt: skip


if __name__ == "__main__":
    main()
