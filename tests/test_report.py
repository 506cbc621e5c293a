"""The report in a real browser: it shows hostile text, and runs none of it."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from browser import chromium, opened

import dedup
from dedup.cli import main
from dedup.report import page as page_module
from dedup.report.page import marked, shown
from dedup.report.sights import beside, short

ROOT = Path(__file__).resolve().parents[1]
HOSTILE = (
    "<script>window.hit=1</script>",
    '"><img src=x onerror=window.hit=1>',
    "' onmouseover='window.hit=1' x='",
    "</bdi></div></article></main><h1 id=broken>كسر</h1>",
    "</script><script src=//evil.example/x.js></script>",
    "</style><style>*{display:none}</style>",
    "<svg/onload=window.hit=1><a href=javascript:window.hit=1>اضغط</a>",
    "<iframe srcdoc='<script>parent.hit=1</script>'></iframe>",
    "<meta http-equiv=refresh content='0;url=http://evil.example/'>",
    "<base href=http://evil.example/><link rel=stylesheet href=x.css>",
    "{{ 7*7 }} {% raw %} ${7*7} <!-- --> ]]> &lt;script&gt; &#60;b&#62;",
    "\u202eمقلوب\u2066\u202d abc \u2028 \x00 \x07 \x1b[31m \ufeff",
    "<form action=//evil.example><button formaction=javascript:window.hit=1>زر</button>",
    "<details open ontoggle=window.hit=1><plaintext><textarea><title><noscript>",
)
WORDS = [f"كلمة{i}" for i in range(900)]


def prose(seed: int, size: int = 30) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=size)) + "."


def near(text: str, *places: int) -> str:
    words = text.split(" ")
    for place in places:
        words[place] = f"غيرها{place}"
    return " ".join(words)


def hostile_rows() -> list[dict]:
    """Records that put every hostile string into every field, and fill every part of the page."""
    rows = []
    for k, evil in enumerate(HOSTILE):
        source = f"{evil} {k % 4}"
        one, two, three = (f"{prose(3 * k + n)} {evil} {prose(1000 + 3 * k + n, 12)}"
                           for n in range(3))  # fmt: skip
        one = " ".join([*one.split(" ")[:9], "34", *one.split(" ")[9:]])
        again = near(one, 5).replace(" 34 ", " 35 ")
        footer = f"اشترك الآن في نشرتنا {evil}"
        title = f"عنوان الخبر رقم {k} عن سوق المدينة {evil}"
        rows += [
            {"id": f"a{evil}", "title": title, "source": source, "url": f"http://x/{evil}",
             "date": evil, "author": evil, "text": "\n".join((one, two, three, footer))},
            {"id": f"b{evil}", "title": evil, "source": f"{source}!", "abstract": evil,
             "text": "\n".join((one, near(two, *range(2, 16)), three, footer))},
            {"id": f"c{evil}", "title": f"{evil} آخر", "source": f"{source}!",
             "text": "\n".join((again, title, prose(5000 + k), footer))},
            {"id": f"d{evil}", "source": f"{source}!", evil: evil,
             "text": "\n".join((f"اقرأ أيضا {evil}", prose(6000 + k), evil, footer))},
        ]  # fmt: skip
    return rows


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    path = tmp_path_factory.mktemp("hostile") / "report.html"
    dedup.clean(hostile_rows(), path.with_name("out.jsonl"), report=path)
    return path


@pytest.fixture(scope="module")
def browser():
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    path = tmp_path_factory.mktemp("seeds") / "report.html"
    dedup.clean(ROOT / "seeds", path.with_name("out.jsonl"), report=path)
    return path


def poke(page) -> None:
    """Open, hover and press everything there is, twice."""
    for _ in range(2):
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = !d.open)")
        page.evaluate(
            """() => {
              for (const one of document.querySelectorAll('*'))
                for (const kind of ['mouseover', 'focus', 'click', 'toggle', 'error', 'load'])
                  if (one.id !== 'download') one.dispatchEvent(new Event(kind, {bubbles: true}));
            }"""
        )
    page.mouse.move(600, 400)
    page.mouse.wheel(0, 4000)
    page.keyboard.press("Tab")


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_of_the_data_runs(browser, hostile, width):
    with opened(browser, hostile, width) as watched:
        page = watched.page
        for part in ("lines", "numbers", "near", "reworded", "stories", "doubts"):
            assert page.locator(f"#{part} .item").count() > 0, part
        poke(page)
        page.wait_for_timeout(300)
        assert page.evaluate("window.hit") is None
        assert (watched.noise, watched.requests) == ([], [hostile.as_uri()])
        census = page.evaluate(
            """() => {
              const count = {};
              for (const one of document.querySelectorAll('*')) {
                count[one.localName] = (count[one.localName] || 0) + 1;
                for (const {name} of one.attributes)
                  if (name.startsWith('on') || name === 'style') count['@' + name] = 1;
              }
              return count;
            }"""
        )
        assert census["script"] == census["style"] == census["h1"] == census["main"] == 1
        strange = {"img", "iframe", "base", "object", "embed", "textarea", "plaintext", "noscript"}
        assert not strange & census.keys()
        assert not [name for name in census if name.startswith("@")]
        assert census["form"] == 1
        assert census["meta"] == 6
        said = "".join(page.locator("header, main, footer").all_text_contents())
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u2028\x00-\x08\x0b-\x1f\ufeff]", said)
        assert "U+202E" in said
        assert "U+0000" in said
        for evil in HOSTILE[:-3]:
            assert evil in page.locator("#lines").text_content(), evil


def test_every_hostile_source_can_be_chosen(browser, hostile):
    with opened(browser, hostile) as watched:
        page = watched.page
        for option in page.locator("select[name=source] option").all()[1:]:
            page.select_option("select[name=source]", value=option.get_attribute("value"))
            page.wait_for_timeout(150)
            assert page.locator(".item:not([hidden])").count() > 0
        assert watched.noise == []


def test_the_policy_would_stop_what_came_through(browser, hostile):
    with opened(browser, hostile) as watched:
        page = watched.page
        page.evaluate(
            """() => {
              document.body.insertAdjacentHTML('beforeend',
                '<img src=http://evil.example/x.png onerror=window.hit=1>' +
                '<b style="color:red" onclick=window.hit=1 id=evil>x</b>');
              const script = document.createElement('script');
              script.textContent = 'window.hit=1';
              document.body.append(script);
              document.getElementById('evil').click();
              fetch('http://evil.example/').catch(() => 0);
            }"""
        )
        page.wait_for_timeout(300)
        assert page.evaluate("window.hit") is None
        assert len([line for line in watched.noise if "Content Security Policy" in line]) >= 4


def test_a_notebook_runs_nothing_of_the_data(browser, tmp_path):
    result = dedup.clean(hostile_rows())
    tables = [result._repr_html_(), *(group._repr_html_() for group in result.groups)]
    page = tmp_path / "notebook.html"
    page.write_text(f"<!doctype html><meta charset=utf-8>{''.join(tables)}", encoding="utf-8")
    with opened(browser, page) as watched:  # a page without a policy, as notebooks are
        poke(watched.page)
        watched.page.wait_for_timeout(300)
        assert watched.page.evaluate("window.hit") is None
        assert (watched.noise, watched.requests) == ([], [page.as_uri()])
        assert watched.page.locator("table").count() == len(tables) > 10
        assert watched.page.locator("img, script, iframe, svg, form, h1, details").count() == 0


def test_search_and_filters(browser, seeds):
    with opened(browser, seeds) as watched:
        page = watched.page
        items, left = page.locator(".item"), page.locator(".item:not([hidden])")
        every = items.count()
        assert every > 50
        page.fill("input[name=words]", "حَمِّل تطبيق")
        page.wait_for_timeout(200)
        assert 0 < left.count() < 5
        assert page.locator("output[name=shown]").inner_text() == f"{left.count()} of {every}"
        assert "حمّل تطبيق رواق الخبر" in left.first.text_content()
        page.fill("input[name=words]", "")
        page.select_option("select[name=kind]", "byline")
        page.select_option("select[name=source]", "بوابة الينابيع")
        page.wait_for_timeout(200)
        assert left.count() > 0
        assert {one.get_attribute("data-kind") for one in left.all()} == {"byline"}
        assert {one.get_attribute("data-source") for one in left.all()} == {"بوابة الينابيع"}
        page.select_option("select[name=kind]", "")
        page.select_option("select[name=source]", "")
        page.wait_for_timeout(200)
        assert left.count() == every
        assert page.locator("output[name=shown]").inner_text() == ""
        assert (watched.noise, len(watched.requests)) == ([], 1)


@pytest.mark.parametrize("which", ["equal", "apart"])
def test_the_search_folds_as_the_program_does(browser, which, tmp_path):
    script = (ROOT / "dedup" / "report" / "assets" / "report.js").read_text(encoding="utf-8")
    (fold_,) = re.findall(r"  const entities = .*?\.trim\(\);\n", script, re.DOTALL)
    path = ROOT / "tests" / "cases" / f"fold_{which}.jsonl"
    cases = [json.loads(line)["texts"] for line in path.read_text(encoding="utf-8").splitlines()]
    (tmp_path / "empty.html").write_text("<!doctype html>")
    with opened(browser, tmp_path / "empty.html") as watched:
        folded = watched.page.evaluate(
            f"cases => {{ {fold_}; return cases.map(texts => texts.map(fold)) }}", cases
        )
    for texts, keys in zip(cases, folded, strict=True):
        assert len(set(keys)) == (1 if which == "equal" else len(texts)), texts


def test_decisions_are_downloaded_and_obeyed(browser, seeds, tmp_path):
    with opened(browser, seeds) as watched:
        page = watched.page
        bar = page.locator("#decisions")
        assert bar.is_hidden()
        line = page.locator("#lines .item", has_text="حمّل تطبيق رواق الخبر").first
        line.locator("button").click()
        pair = page.locator("#near .item").first
        pair.locator("button").click()
        gone = page.locator("#doubts .item").first
        gone.locator("button").click()
        other = page.locator("#lines .item").nth(1).locator("button")
        other.click()
        assert bar.locator("output").inner_text() == "4 decisions"
        other.click()
        assert bar.locator("output").inner_text() == "3 decisions"
        assert other.get_attribute("aria-pressed") == "false"
        assert line.locator("button").get_attribute("aria-pressed") == "true"
        doubt = gone.locator(".prose").text_content().strip()
        stays = pair.locator(".prose").last.text_content().strip()
        with page.expect_download() as download:
            page.click("#download")
        assert download.value.suggested_filename == "overrides.jsonl"
        path = tmp_path / "overrides.jsonl"
        download.value.save_as(path)
        assert watched.noise == []
    decisions = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()]
    assert [sorted(row) for row in decisions] == [
        ["do", "key", "note"], ["do", "id", "note", "start"], ["do", "key", "note"],
    ]  # fmt: skip
    report = tmp_path / "again.html"
    result = dedup.clean(ROOT / "seeds", tmp_path / "out.jsonl", overrides=str(path), report=report)
    removals = list(result.removals)
    assert not [r for r in removals if r["text"].strip().startswith("حمّل تطبيق رواق الخبر")]
    assert not [r for r in removals if r["text"].strip() == stays]
    asked = [r for r in removals if r["evidence"] == {"rule": "override"}]
    assert {r["text"].strip() for r in asked} == {doubt}
    assert result.counts.overrides == {"kept": 13, "removed": len(asked)}
    assert f"kept 13, removed {len(asked)}; " in report.read_text(encoding="utf-8")


def test_decisions_about_hostile_ids_name_them_exactly(browser, hostile, tmp_path):
    with opened(browser, hostile) as watched:
        page = watched.page
        for button in page.locator("#near .item button, #reworded .item button").all():
            button.evaluate("one => one.click()")
        with page.expect_download() as download:
            page.click("#download")
        download.value.save_as(tmp_path / "overrides.jsonl")
    decisions = (tmp_path / "overrides.jsonl").read_text(encoding="utf-8").split("\n")
    named = {json.loads(row)["id"] for row in decisions if row}
    assert len(named) > 10
    assert named <= {row["id"] for row in hostile_rows()}
    result = dedup.clean(hostile_rows(), overrides=str(tmp_path / "overrides.jsonl"))
    assert result.counts.unmet == []


def test_stories_stand_side_by_side_with_their_words_marked(browser, seeds):
    with opened(browser, seeds, color_scheme="dark") as watched:
        page = watched.page
        story = page.locator("#stories details").first
        assert "4 ×" in story.locator("summary").text_content()
        story.locator("summary").click()
        beside = story.locator(".beside").first
        left, right = (side.bounding_box() for side in beside.locator("> div").all())
        assert left["y"] == right["y"]
        assert left["x"] > right["x"]  # from right to left
        assert beside.locator("ins").count() > 0
        color = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert color == "rgb(22, 23, 27)"


def test_a_phone_need_not_scroll_sideways(browser, hostile, seeds):
    for path in (hostile, seeds):
        with opened(browser, path, 390, 844) as watched:
            watched.page.evaluate(
                "document.querySelectorAll('details').forEach(d => d.open = true)"
            )
            wide = watched.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 390
            sides = watched.page.locator("#stories .beside").first.locator("> div").all()
            above, below = (side.bounding_box() for side in sides)
            assert above["y"] < below["y"]
            for cell in watched.page.locator("thead th").all():
                assert cell.bounding_box()["height"] < 40, cell.inner_text()


def test_the_file_holds_all_and_asks_for_nothing(seeds):
    html = seeds.read_text(encoding="utf-8")
    assert '<html lang="en" dir="rtl">' in html
    policy = re.search('Content-Security-Policy" content="([^"]*)"', html)[1]
    assert "unsafe" not in policy
    assert policy.startswith("default-src &#39;none&#39;;")
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", html)
    assert html.count("<rect") > 20


def test_the_same_input_gives_the_same_page(seeds, tmp_path):
    dedup.clean(ROOT / "seeds", report=tmp_path / "again.html", workers=2)
    assert (tmp_path / "again.html").read_bytes() == seeds.read_bytes()


def test_without_anything_to_show(browser, tmp_path):
    dedup.clean([{"text": "سطر"}], report=tmp_path / "report.html")
    with opened(browser, tmp_path / "report.html") as watched:
        assert watched.page.locator(".item").count() == 0
        assert watched.noise == []


def test_the_command_can_write_the_report_alone(tmp_path, capsys):
    report = tmp_path / "report.html"
    assert main(["clean", str(ROOT / "seeds"), "--report", str(report)]) == 0
    assert f"wrote    {report}\n" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [report]


def test_what_cannot_be_seen_is_shown():
    assert shown("a\u202eb\n\tc<\x00") == (
        'a<span class="unseen">U+202E</span>b\n\tc&lt;<span class="unseen">U+0000</span>'
    )


def test_what_an_earlier_run_saw_is_told_without_its_text(browser, tmp_path):
    rows = hostile_rows()[:24]
    dedup.clean(rows[:12], tmp_path / "a.jsonl", index=tmp_path / "news.db")
    again = [{**row, "id": f"{row['id']} again", "text": near(row["text"], 9)} for row in rows[:12]]
    report = tmp_path / "report.html"
    dedup.clean(again + rows[12:], tmp_path / "b.jsonl", index=tmp_path / "news.db", report=report)
    with opened(browser, report) as watched:
        near_ones = watched.page.locator("#near .item")
        assert near_ones.count() > 3
        assert "of an earlier run" in near_ones.first.text_content()
        assert watched.page.locator("#stories .item").count() > 3
        assert watched.noise == []


def test_decisions_hold_against_an_index(tmp_path):
    row = {"id": "a", "text": prose(1)}
    decisions = tmp_path / "overrides.jsonl"
    decisions.write_text(json.dumps({"do": "keep", "text": prose(1)}) + "\n", encoding="utf-8")
    for number in range(3):
        (kept,) = dedup.clean(
            {**row, "id": str(number)}, index=tmp_path / "news.db", overrides=str(decisions)
        )
        assert kept["text"] == prose(1)
    assert len(dedup.clean({**row, "id": "b"}, index=tmp_path / "news.db", keep="first")) == 0


def numbered() -> list[dict]:
    """Near-duplicates: two whose numbers differ, one beside other words, and two others."""
    text, other, third = prose(1), prose(2), prose(3)
    pairs = (
        (text, 9, "٣٤", "35"),
        (other, 12, "12.5", "1250"),
        (third, 3, "زيتون", "زعتر"),
        (prose(4), 7, "عام", "2011"),
    )
    rows = []
    for k, (said, place, one, changed) in enumerate(pairs):
        for name, word in (("a", one), ("b", changed)):
            words = said.split()
            words[place] = word
            if (k, name) == (1, "b"):
                words[place + 1] = "ثم"
            rows.append({"id": f"{name}{k}", "source": "س", "text": " ".join(words)})
    return rows


def test_numbers_that_differ_have_a_place_of_their_own(browser, tmp_path):
    result = dedup.clean(numbered(), report=tmp_path / "report.html")
    assert len(list(result.removals)) == 4
    with opened(browser, tmp_path / "report.html") as watched:
        shown = watched.page.locator("#numbers .item").all()
        assert [one.get_attribute("data-id") for one in shown] == ['"b0"', '"b1"']
        assert shown[0].locator("del, ins").all_inner_texts() == ["٣٤", "35"]


def test_what_is_at_the_threshold_stands_right_of_it(browser, tmp_path):
    one = " ".join(f"كلمة{k}" for k in range(19))  # 17 shingles of three words each, 14 shared
    other = " ".join([*one.split()[:16], "وأيضا", "ثم", "بعد"])
    rows = [{"id": "a", "text": one}, {"id": "b", "text": other}]
    (gone,) = dedup.clean(rows, report=tmp_path / "report.html").removals
    assert gone["similarity"] == 0.7
    with opened(browser, tmp_path / "report.html") as watched:
        bar = watched.page.locator("figure rect.duplicate").bounding_box()
        line = watched.page.locator("path.threshold").bounding_box()
        assert bar["x"] >= line["x"]
        assert watched.page.locator("figure g title").text_content() == "0.70–0.72: 1"


def test_the_page_tells_settings_that_are_not_the_default(tmp_path):
    page = tmp_path / "report.html"
    dedup.clean([{"text": "سطر"}], report=page, threshold=0.9, marker=["footer=<b>"], workers=2)
    told = page.read_text("utf-8")
    assert "with --threshold 0.9 --marker footer=&lt;b&gt;</p>" in told
    assert "<h1>What went, and why</h1>" in told
    dedup.clean([{"text": "سطر"}], report=page, mode="annotate")
    assert "<h1>What would go, and why</h1>" in page.read_text("utf-8")


def test_a_page_that_would_be_large_shows_less(monkeypatch, tmp_path, browser):
    whole, less = tmp_path / "whole.html", tmp_path / "less.html"
    dedup.clean(hostile_rows(), report=whole)
    monkeypatch.setattr(page_module, "MOST", whole.stat().st_size // 2)
    dedup.clean(hostile_rows(), report=less)
    assert less.stat().st_size <= whole.stat().st_size // 2
    with opened(browser, less) as watched:
        for part in ("lines", "near", "stories"):
            assert watched.page.locator(f"#{part} .item").count() > 0
    monkeypatch.setattr(page_module, "MOST", 0)
    dedup.clean(hostile_rows(), report=less)
    assert less.read_bytes().count(b'class="item"') == 0


def test_decisions_are_not_lost_by_leaving(browser, seeds, tmp_path):
    with opened(browser, seeds) as watched:
        page = watched.page
        page.locator("#lines .item button").first.click()
        page.evaluate("location.reload()")
        page.wait_for_timeout(300)
        assert [one.split(":")[0] for one in watched.noise] == ["dialog"]
        assert page.locator("#decisions output").inner_text() == "1 decision"
        with page.expect_download() as download:
            page.click("#download")
        download.value.save_as(tmp_path / "overrides.jsonl")
        page.reload()
        assert len(watched.noise) == 1
        assert page.locator("#decisions").is_hidden()


def test_long_texts_are_not_told_to_differ_where_they_are_cut():
    words = [f"كلمة{k}" for k in range(100)]
    one, other = " ".join(words), " ".join([*words[:3], "زائدة", *words[3:]])
    runs = beside(one, other, 200)
    assert [run for run in runs if not run.shared] == [("", " زائدة")]
    assert runs[-1] == (" …", " …")
    assert other.startswith("".join(run.other for run in runs[:-1]))
    assert beside("", other, 200)[0].other == other[:200].rpartition(" ")[0]
    assert beside(one, other, 2000)[-1].one == one[one.index(" كلمة3") :]
    assert short("كلمة طويلة", 6) == short("كلمة طويلة", 5) == "كلمة …"
    assert short(f"{' ' * 9}كلمة", 5) == short(f"{' ' * 9}كلمة", 9) == " …"
    assert short("طويلة", 3) == "طوي …"


def test_only_words_are_marked():
    assert marked(" كلمة <b>\n", "ins") == " <ins>كلمة &lt;b&gt;</ins>\n"
    assert marked(" \u2028 ", "del") == ' <span class="unseen">U+2028</span> '
