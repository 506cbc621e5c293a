"""Strategies: text as it comes out of scrapers, and worse."""

from __future__ import annotations

from hypothesis import strategies as st

WORDS = [
    "قال",
    "الوزير",
    "إنّ",
    "السوق",
    "في",
    "المدينة",
    "القديمة",
    "وبالقرب",
    "من",
    "الميناء",
    "للمزيد",
    "اقرأ",
    "أيضا",
    "ذات",
    "صلة",
    "الشركة",
    "بالمدينة",
    "كالعادة",
    "ومدرسة",
    "فالطريق",
    "إلى",
    "على",
    "علي",
    "مدرسه",
    "١٢",
    "12",
    "۱۲",
    "ﻻعب",
    "ﷺ",
    "كـتـاب",
    "قَالَ",
    "cafe",
    "café",
    "CNN",
    "A2",
    "x&amp;y",
    "&quot;قول&quot;",
    "&nbsp;",
    "½",
    "ﬁne",
    "Straße",
    "İstanbul",
    "한국",
    "中文",
    "é",
    "é",
    "ไทย",
]
MARKS = [
    ".",
    "..",
    "…",
    "،",
    "؛",
    ":",
    "؟",
    "!",
    "-",
    "–",
    "_",
    "|",
    "/",
    "«",
    "»",
    "“",
    "”",
    "(",
    ")",
    "*",
    "#",
    "@",
    "http://x.y",
    "\u200f",
    "\u200c",
    "\xad",
    "\ufeff",
]
SPACES = (" ", "  ", "\u00a0", "\t", " \u200f")
NEWLINES = ("\n", "\n\n", "\r\n", "\r", "\u2028", "\n\u00a0\n", "\n \n", "\n\ufeff\n")

words = st.sampled_from(WORDS) | st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=8
)
lines = st.lists(words | st.sampled_from(MARKS) | st.sampled_from(SPACES), max_size=14).map("".join)
spaced = st.lists(words | st.sampled_from(MARKS), max_size=30).map(" ".join)
texts = st.lists(lines | spaced | st.sampled_from(NEWLINES), max_size=12).map("".join)
