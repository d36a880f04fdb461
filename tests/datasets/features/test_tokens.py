import time
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from recsparse.config.data import TextConfig
from recsparse.datasets.features.tokens import preprocessor, vectoriser, without_html, words

ASCII = st.text(st.characters(max_codepoint=127), max_size=40)


def tokens(text, **settings):
    return list(vectoriser(TextConfig(**settings)).build_analyzer()(text))


@pytest.mark.parametrize("analyzer", ["word", "char", "char_wb"])
@pytest.mark.parametrize("ngrams", [(1, 1), (1, 3), (2, 2)])
@given(text=ASCII)
@example(text="Wi-Fi\tA_b  c3 x\n I'm")
def test_ascii_texts_have_the_tokens_of_scikit_learn(analyzer, ngrams, text):
    theirs = CountVectorizer(analyzer=analyzer, ngram_range=ngrams).build_analyzer()
    assert tokens(text, analyzer=analyzer, ngrams=ngrams, strip_html=False) == theirs(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("東京都", ["東京", "京都"]),
        ("東", ["東"]),
        ("人々", ["人々"]),
        ("東 京", ["東", "京"]),
        ("カメラ", ["カメ", "メラ"]),
        ("ｶﾒﾗ", ["カメ", "メラ"]),  # half of the width
        ("iPhone用ケース2個", ["iphone", "用ケ", "ケー", "ース", "個"]),
        ("𠮷野家", ["𠮷野", "野家"]),  # beyond the first 65,536
        ("スター・ウォーズ。", ["スタ", "ター", "ウォ", "ォー", "ーズ"]),
        ("ไทย ฿100 ๑๒", ["ไท", "ทย", "100", "๑๒"]),
        ("មួយ។", ["មួ", "ួយ"]),
        ("ລາວ", ["ລາ", "າວ"]),
        ("한국어 책", ["한국어"]),  # Korean has spaces; a single letter is no word
        ("Москва И я", ["москва"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("தமிழ்", ["தமிழ்"]),
        ("كِتَاب", ["كِتَاب"]),
        ("हिन्दी本", ["हिन्दी", "本"]),
        ("", []),
        ("! 。 x", []),
    ],
)
def test_every_script_has_its_own_words(text, expected):
    assert tokens(text) == expected


def test_pairs_of_characters_are_the_words_of_longer_ngrams():
    assert tokens("red 東京都", ngrams=(1, 2)) == [
        "red", "東京", "京都", "red 東京", "東京 京都",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "like"),
    [
        ("ﬁlm", "film"),  # a ligature
        ("\uff26\uff29\uff2c\uff2d", "film"),  # full width
        ("cafe\u0301", "caf\u00e9"),  # composed
        ("STRASSE", "straße"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),  # two forms of the small sigma
        ("Ⅷ", "viii"),
        ("ǅ", "ǆ"),
        ("co\u00adoperate", "cooperate"),  # a hyphen that shows at the end of a line alone
        ("\ufeffred\u2060", "red"),
        ("\u0645\u06cc\u200c\u062e\u0648", "\u0645\u06cc\u062e\u0648"),
    ],
)
def test_ways_to_write_the_same_are_the_same(text, like):
    prepare = preprocessor(strip_html=False)
    assert prepare(text) == prepare(like)


@given(st.text(max_size=40))
def test_to_prepare_twice_changes_nothing(text):
    prepare = preprocessor(strip_html=False)
    assert prepare(prepare(text)) == prepare(text)


def has_no_spaces(character):
    scripts = (
        "CJK UNIFIED",
        "CJK COMPAT",
        "HIRAGANA",
        "KATAKANA",
        "THAI",
        "LAO",
        "MYANMAR",
        "KHMER",
    )
    return unicodedata.name(character, "").startswith(scripts)


@given(st.text(st.sampled_from("ab_3é\u0301नि भाษาไทย東京カ한. <"), max_size=20))
def test_words_are_whole_or_pairs_and_never_of_mixed_scripts(text):
    prepared = preprocessor(strip_html=False)(text)
    for word in words(prepared):
        assert word in prepared
        spaceless = [has_no_spaces(character) for character in word]
        assert len(word) <= 2 if all(spaceless) else len(word) >= 2 and not any(spaceless)


class Text(HTMLParser):
    """The standard library's reader, which is fifty times slower."""

    def __init__(self):
        super().__init__()
        self.parts = []
        self.hidden = 0

    def handle_starttag(self, tag, attrs):
        self.hidden += tag in ("script", "style")

    def handle_endtag(self, tag):
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data):
        if not self.hidden:
            self.parts.append(data)


def parsed(text):
    parser = Text()
    parser.feed(text)
    parser.close()
    return " ".join(" ".join(parser.parts).split())


@given(
    st.lists(
        st.sampled_from(
            [
                "red", "fox &amp; hen", "&eacute;t&eacute;", "&#26481;", "&#x4eac;", "1 &lt; 2",
                "<b>", "</b>", "<br/>", '<a href="x?a=1&amp;b">', "</a>", "<!-- a <b> c -->", "\n",
                "<script>if (a < b) { x }</script>", "<STYLE type='y'>p {}</STYLE>", "<!doctype x>",
            ]
        ),
        max_size=8,
    ).map(" ".join)
)  # fmt: skip
def test_html_is_read_as_the_standard_library_does(text):
    assert " ".join(without_html(text).split()) == parsed(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3 < 4 and 5 > 2", "3 < 4 and 5 > 2"),
        ("a <3 b", "a <3 b"),
        ("AT&T", "AT&T"),
        ("&lt;b&gt;", "<b>"),  # the text speaks of a tag
        ("red<br>fox", "red fox"),
        ("red <!-- fox", "red"),
        ("red <script>fox", "red"),
        ("red <script>x</script foo> fox", "red   fox"),
        ("a <scripture> b", "a   b"),
        ("", ""),
    ],
)
def test_what_looks_like_html_and_what_is_not_closed(text, expected):
    assert without_html(text) == expected


def test_html_stays_where_it_is_no_html():
    assert tokens("<b>red</b> &amp;", strip_html=False) == ["red", "amp"]


@pytest.mark.parametrize(
    "piece", ["<script ", "<!--", "<a ", "<", "&", "&#", "</", "東", "x ", "é"]
)
def test_a_text_of_a_megabyte_takes_no_more_than_its_length(piece):
    start = time.perf_counter()
    tokens(piece * (1_000_000 // len(piece)))
    assert time.perf_counter() - start < 5  # quadratic time takes minutes
