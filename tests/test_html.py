"""What a reader sees of HTML."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.html import Document, Link


def test_text_is_what_stands_outside_scripts_and_styles() -> None:
    document = Document(
        "<html><head><title>T</title><style>p{}</style></head><body>Hello<script>x</script><p>Bob"
    )

    assert document.text.split() == ["Hello", "Bob"]


def test_links_show_their_target_and_their_text() -> None:
    document = Document('<a href=" https://example.com/x ">https://<b>example.org</b></a><a name="y">z</a>')

    assert document.links == (Link("https://example.com/x", "https://example.org"),)


def test_text_and_links_do_not_depend_on_which_is_asked_first() -> None:
    source = '<p>Hello <a href="https://example.org/">Bob</a></p>'
    one, other = Document(source), Document(source)

    assert (one.text, one.links) == (other.links, other.text)[::-1]


def test_no_tree_is_kept_when_it_is_read() -> None:
    document = Document('<p>Hello <a href="https://example.org/">Bob</a></p>')

    assert document.text and document.links

    assert set(vars(document)) == {"source", "text", "links"}


@given(
    st.lists(
        st.sampled_from(
            ("<p>", "</p>", "<a href='x'>", "</a>", "<script>", "<table>", "<!--", "-->", "&nbsp;", "\0")
        )
        | st.text(st.characters(codec="utf-8"), max_size=8)
    ).map("".join)
)
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_document(source: str) -> None:
    document = Document(source)

    assert isinstance(document.text, str)
    assert all(isinstance(link.target + link.text, str) for link in document.links)
