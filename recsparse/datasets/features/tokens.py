"""Texts become tokens: cleaned, in lower case, words or n-grams of characters."""

import html
import re
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any

from recsparse.config.data import TextConfig

# A regular expression and not html.parser, which takes fifty times as long and stops no attack:
# nothing of the text is ever shown as HTML.
# What is never closed is hidden to the end, as browsers have it; to look for another end from each
# beginning would take quadratic time.
_HIDDEN = re.compile(
    r"<(script|style)\b.*?(?:</\1\b[^<>]*>|\Z)|<!--.*?(?:-->|\Z)", re.DOTALL | re.IGNORECASE
)
_TAG = re.compile(r"</?[a-zA-Z!?][^<>]*>")

# Letters and marks of scripts that put no space between words: Thai, Lao, Myanmar, Khmer, Han,
# Hiragana, Katakana, Bopomofo. Their punctuation and digits are as those of other scripts.
_SPACELESS = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ecf\u0edc-\u0edf\u1000-\u103f\u1050-\u108f\u109a-\u109d"
    "\u1780-\u17d3\u17d7\u17dc\u17dd\u3005-\u3007\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uaa60-\uaa7f\uf900-\ufaff\U00020000-\U0003ffff"
)
# Soft hyphens, joiners, marks of direction, variants: where words are compared they are not there.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u200c-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff]"
)
_HAS_SPACELESS = re.compile(f"[{_SPACELESS}]")
# A word has two characters or more, as scikit-learn has it.
_ASCII_WORD = re.compile(r"\b\w\w+\b")


def vectoriser(config: TextConfig) -> Any:
    """Return scikit-learn's vectoriser with our tokens, without a vocabulary.

    Args:
        config: The analyser, the n-grams, and whether there is HTML.

    Returns:
        A `CountVectorizer`.
    """
    # Imported here, since it takes half a second, which a log without texts need not wait for.
    from sklearn.feature_extraction.text import CountVectorizer

    common = {
        "ngram_range": config.ngrams,
        "preprocessor": preprocessor(config.strip_html),
        "lowercase": False,
    }
    if config.analyzer == "word":
        return CountVectorizer(tokenizer=words, token_pattern=None, **common)
    return CountVectorizer(analyzer=config.analyzer, **common)


def preprocessor(strip_html: bool) -> Callable[[str], str]:
    """Return what makes texts comparable.

    Args:
        strip_html: Drop tags and resolve entities first.

    Returns:
        A function: NFKC_Casefold (The Unicode Standard, section 3.13), whereby compatible
        characters are one, composed, without case, and invisible ones are dropped.

    Example:
        >>> preprocessor(strip_html=True)("<p>Caf&eacute; &amp; Straße</p>")
        'café & strasse'
    """

    def prepare(text: str) -> str:
        if strip_html:
            text = without_html(text)
        if text.isascii():
            return text.lower()
        text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).casefold()
        return unicodedata.normalize("NFKC", text)

    return prepare


def without_html(text: str) -> str:
    """Return a text without tags, scripts and comments, entities resolved.

    A sign `<` that starts no tag stays.

    Args:
        text: Any text.

    Returns:
        The text.

    Example:
        >>> without_html("<p>1 &lt; 2,<br>3 < 4</p>")
        '1 < 2, 3 < 4'
    """
    if "<" in text:
        text = _TAG.sub(" ", _HIDDEN.sub(" ", text)).strip()
    return html.unescape(text) if "&" in text else text


def words(text: str) -> list[str]:
    """Return the words of a prepared text.

    A word is a run of two or more letters, digits or underscores, with their marks. A run of a
    script that puts no space between words gives its pairs of neighbouring characters instead, and
    itself where it is a single one.

    Args:
        text: A prepared text.

    Returns:
        The words in their order.

    Example:
        >>> words("a red 東京都 fox")
        ['red', '東京', '京都', 'fox']
    """
    if text.isascii():
        return _ASCII_WORD.findall(text)
    if not _HAS_SPACELESS.search(text):
        return _word().findall(text)
    found: list[str] = []
    for token in _word_or_run().findall(text):
        if _HAS_SPACELESS.match(token) and len(token) > 2:
            found += [token[start : start + 2] for start in range(len(token) - 1)]
        else:
            found.append(token)
    return found


# Made at first use, since each takes as long as the rest of the module, and few logs have such
# texts.
@cache
def _word() -> re.Pattern[str]:
    return re.compile(f"\\w[\\w{_marks()}]+")


@cache
def _word_or_run() -> re.Pattern[str]:
    return re.compile(
        f"[{_SPACELESS}]+|(?![{_SPACELESS}])\\w(?:(?![{_SPACELESS}])[\\w{_marks()}])+"
    )


@cache
def _marks() -> str:
    """Return vowel signs and other marks, which Python counts as no part of a word.

    Without them words of Hindi, Tamil or pointed Arabic fall apart.
    """
    # None is assigned behind these places but selectors.
    places = map(chr, range(0x300, 0x20000))
    return "".join(each for each in places if unicodedata.category(each) in ("Mn", "Mc"))
