"""What secrets and personal data look like in a text, and the text without them.

Every pattern is bounded, so that a text of any shape takes time in proportion to its length. Cheap searches
for fixed words come first: most texts have none of them and are left alone after a microsecond or two.
"""

from __future__ import annotations

import functools
import re

from descartes_core.store.sensitive_names import is_sensitive, words

REDACTED, EMAIL, PHONE, CARD = "‹redacted›", "‹email›", "‹phone›", "‹card›"

_NO = r"(?<![A-Za-z0-9_-])"
FORMATS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (needle, re.compile(pattern))
    for needle, pattern in (
        ("sk-", _NO + r"sk-(?=[A-Za-z_-]{0,200}\d)[A-Za-z0-9_-]{16,300}"),
        ("k_live_", _NO + r"[srp]k_live_[A-Za-z0-9]{10,200}"),
        ("k_test_", _NO + r"[sr]k_test_[A-Za-z0-9]{10,200}"),
        *((f"gh{kind}_", _NO + rf"gh{kind}_[A-Za-z0-9]{{30,255}}") for kind in "pousr"),
        ("github_pat_", _NO + r"github_pat_[A-Za-z0-9_]{22,255}"),
        ("glpat-", _NO + r"glpat-[A-Za-z0-9_-]{16,100}"),
        ("akia", _NO + r"AKIA[0-9A-Z]{16}(?![0-9A-Za-z])"),
        ("asia", _NO + r"ASIA[0-9A-Z]{16}(?![0-9A-Za-z])"),
        ("xox", _NO + r"xox[abeprs]-[A-Za-z0-9-]{10,255}"),
        ("aiza", _NO + r"AIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])"),
        ("npm_", _NO + r"npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])"),
        ("pypi-", _NO + r"pypi-[A-Za-z0-9_-]{32,300}"),
        ("hf_", _NO + r"hf_[A-Za-z0-9]{30,100}"),
        ("age-secret-key-", r"AGE-SECRET-KEY-1[0-9A-Z]{30,100}"),
        ("eyj", _NO + r"eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,8192}\.[A-Za-z0-9_-]{0,2048}"),
    )
)
"""Keys that are known by their looks, each with a word (in lower case) that such a text must have."""
_PEM = re.compile(r"-----BEGIN ((?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?)-----")
_USERINFO = re.compile(r"(://[^\s/:@\"'<>]{0,64}:)([^\s/@\"'<>]{1,256})(?=@)")
_BEARER = re.compile(r"((?<![A-Za-z])[Bb]earer\s{1,3})(?=[^\s]{0,200}[0-9])([A-Za-z0-9._~+/-]{12,4096}=*)")

_NAME = (
    "passw(?:or)?d|passphrase|passcode|pwd|secret|token|(?:api|access|private|signing|master|encryption|auth)"
    "[_-]?key|authorization|credentials?|cookie|pass|cvv|cvc|ssn"
)
NAME_NEEDLES = (
    "passw", "passp", "passc", "pass=", "pwd", "secret", "token", "key", "authorization", "credential",
    "cookie", "cvv", "cvc", "ssn",
)  # fmt: skip
_NAMED = re.compile(
    rf"(?:{_NAME})[A-Za-z0-9_-]{{0,32}}+"
    r"(?P<between>[*+]?\\{0,3}[\"']?\s{0,4}(?::=|=>|==?|:)\s{0,4}|\s{1,3}(?:is|was)\s{1,3}|[*+]?\s{1,4})"
    r"(?:(?P<quote>\\{0,3}[\"'])(?P<quoted>[^\"'\\\n]{1,4096}(?:\\[^\"'\n][^\"'\\\n]{0,4096}){0,64})"
    r"(?=\\{0,3}[\"'])|(?P<bare>[^\s\"'`;&|<>(){}\[\],\\]{3,}+))",
    re.IGNORECASE,
)
"""The end of a name, what stands between, and a text in quotes or a single word, which is taken whole."""
_ENDS_WORD = re.compile(r"[\s\"'`;&|<>\\]|\Z")
INNER = 128
"""Characters of a word that was no secret in which further names are looked for."""
_HEADER = re.compile(
    r"((?:authorization|x-api-key|(?:set-)?cookie)[\"']?\s{0,3}:\s{0,3}[\"']?(?:[A-Za-z0-9-]{1,20}\s{1,3})?)"
    r"([^\s\"',;][^\"'\n]{3,4096})",
    re.IGNORECASE,
)
_DEFINES = re.compile(r"\((?:setf|setq|defparameter|defvar|defconstant|let \(\(|\()\s{0,3}\Z", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"(?:str|string|text|password|passwd|passphrase|secret|token|key|required|optional|none|nil|null|true"
    r"|false|value|bytes|int|any|x{3,}|\*{3,}|\.{3,}|-+)\Z|[‹<$%{]|(?:env|keyring|file|os|process)[.:]",
    re.IGNORECASE,
)

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+/-])([A-Za-z0-9._%+-]{1,64})@"
    r"((?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}([A-Za-z]{2,24}))(?![A-Za-z0-9@])(:[\w~./])?"
)
_NO_PERSON = frozenset(("git", "hg", "svn"))
_NO_DOMAIN = words(
    "png jpg jpeg gif svg webp ico py js ts jsx tsx lisp asd lsp cl el lua rs go c h cpp hpp java rb sh json"
    " toml yaml yml md txt css html service socket timer target mount log whl gz zip tar local"
)
_VERSION = re.compile(r"\d+\.\d+\.")

_CARD = re.compile(
    r"(?<![\w.+#/{-])(?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|6011|6[45]\d\d|62\d\d|35\d\d)"
    r"(?:([ -]?)\d{4})(?:\1\d{4}){2}"
    r"(?![\w/-]|\.\d)|(?<![\w.+#/-])3[47]\d\d([ -]?)\d{6}\2\d{5}(?![\w/-]|\.\d)"
)
_CARD_HINT = re.compile(r"\d(?:[ -]?\d){13}")
_PHONE = re.compile(
    r"(?<![\w.+\\])\+[1-9]\d{0,2}(?:[ .\-/]{0,2}(?:\(\d{1,4}\)|\d{1,5})){2,6}(?![\w]|[.-]\d)"
    r"|(?<![\w.+/-])(?:\([2-9]\d\d\) ?|[2-9]\d\d([ .-]))[2-9]\d\d(?:(?(1)\1|-))\d{4}(?![\w-]|\.\d)"
    r"|(?<![\w])(?i:tel|phone|telephone|mobile|fon|telefon|fax|handy|call|sms|whatsapp)"
    r"(?i:\s?(?:no|nr|number|me at|us at|him at|her at))?[.:=\"' ]{1,4}"
    r"(\+?\(?\d(?:[ ()/.-]{0,2}\d){6,14})(?![\w])"
)
_PHONE_HINT = re.compile(r"\+[1-9]|\d{3}\)? ?[ .-]\d{3}[ .-]\d{4}")
_PHONE_WORDS = ("tel", "phone", "mobile", "fon", "fax", "handy", "call", "sms", "whatsapp")
_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_BETWEEN_DIGITS = b" ()./-"
_DIGITS = re.compile(r"\d[ ()/.-]{0,2}\d[ ()/.-]{0,2}\d[ ()/.-]{0,2}\d[ ()/.-]{0,2}\d[ ()/.-]{0,2}\d")

NEEDLES = (*(needle for needle, _ in FORMATS), "-----begin", "bearer", *NAME_NEEDLES)
"""One of these, or `@` or digits, is in every text with something to mask; `user:password@` has the `@`."""


def suspicious(text: str) -> bool:
    """Return whether TEXT, also one in JSON, could have anything that `mask` would mask."""
    lower = text.lower()
    return (
        "@" in text
        or any(needle in lower for needle in NEEDLES)
        or _may_have_card(text)
        or _may_have_phone(text, lower)
    )


def mask(text: str) -> str:
    """Return TEXT without secrets of known forms or names, e-mail addresses, phone and card numbers."""
    text = mask_keys(text)
    lower = text.lower()
    if any(needle in lower for needle in NAME_NEEDLES):
        text = _HEADER.sub(_header, text)
        text = _NAMED.sub(_named, text)
    if "@" in text:
        text = _EMAIL.sub(_email, text)
    if _may_have_card(text):
        text = _CARD.sub(_card, text)
    if _may_have_phone(text, lower):
        text = _PHONE.sub(_phone, text)
    return text


@functools.lru_cache(maxsize=8192)
def mask_short(text: str) -> str:
    """Return what `mask` does, remembered: the same short texts come again and again."""
    return mask(text)


def mask_keys(text: str) -> str:
    """Return TEXT without keys that are known by their looks, whatever stands around them."""
    lower = text.lower()
    for needle, pattern in FORMATS:
        if needle in lower:
            text = pattern.sub(REDACTED, text)
    if "-----begin" in lower:
        text = _without_private_keys(text)
    if "://" in text:
        text = _USERINFO.sub(_userinfo, text)
    if "bearer" in lower:
        text = _BEARER.sub(rf"\1{REDACTED}", text)
    return text


def is_placeholder(text: str) -> bool:
    """Return whether TEXT only stands for a secret: empty, a type, a variable, or masked already."""
    return not text.strip() or _PLACEHOLDER.match(text) is not None


def luhn(digits: str) -> bool:
    """Return whether DIGITS end in the check digit that card numbers have."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if place % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def _without_private_keys(text: str) -> str:
    parts, at = [], 0
    for found in _PEM.finditer(text):
        if found.start() < at:
            continue
        end_mark = f"-----END {found[1]}-----"
        end = text.find(end_mark, found.end())
        parts += [text[at : found.start()], REDACTED]
        # Without an end it was cut off, and all that follows may be the key.
        at = len(text) if end < 0 else end + len(end_mark)
    return "".join([*parts, text[at:]])


def _userinfo(found: re.Match[str]) -> str:
    return found[0] if is_placeholder(found[2]) else found[1] + REDACTED


def _header(found: re.Match[str]) -> str:
    return found[0] if is_placeholder(found[2]) else found[1] + REDACTED


def _named(found: re.Match[str]) -> str:
    value: str = found["quoted"] or found["bare"]
    before = found[0][: -len(value)]
    if _is_secret(found, value):
        return before + REDACTED
    return before + (_NAMED.sub(_named, value) if len(value) <= INNER else value)


def _is_secret(found: re.Match[str], value: str) -> bool:
    text, start = found.string, _start_of_name(found.string, found.start())
    name = text[start : found.start("between")]
    if is_placeholder(value) or not is_sensitive(name):
        return False
    before = text[max(0, start - 24) : start]
    if found["quoted"] is not None:
        return _names_a_text(found["between"], before, value, name)
    ends = _ENDS_WORD.match(text, found.end()) is not None
    return ends and _names_a_word(found["between"], before, value, name)


def _start_of_name(text: str, at: int) -> int:
    lowest = max(0, at - 64)
    while at > lowest and (text[at - 1].isalnum() or text[at - 1] in "_-"):
        at -= 1
    return at


def _names_a_text(between: str, before: str, value: str, name: str) -> bool:
    if name.lower() == "token" and not (len(value) >= 8 and _mixed(value)):
        return False
    if between.strip(" \t\n*+"):
        return True
    # White space alone: a keyword, a special variable or an option, as in `:password "…"`.
    return before.endswith((":", "*", "+")) or name.startswith("--") or bool(_DEFINES.search(before))


def _names_a_word(between: str, before: str, value: str, name: str) -> bool:
    option = name.startswith("--")
    if not between.strip():
        return option and not value.startswith("-")
    if between.strip() in ("is", "was"):
        return _mixed(value)
    if "=" in between:
        if before.endswith(("?", "&")) or option or (name.isupper() and between == "="):
            return True
        return between == "=" and (not before or before[-1] in " \t\n") and _mixed(value)
    alone = not before.rpartition("\n")[2].strip(" \t-") and between.endswith((" ", "\t"))
    return alone and len(value) >= 6 and _mixed(value)


def _mixed(value: str) -> bool:
    return any(not each.isalpha() and each not in "_.-" for each in value)


def _email(found: re.Match[str]) -> str:
    local, domain, top, path = found.groups()
    if (local in _NO_PERSON and path) or top.lower() in _NO_DOMAIN or _VERSION.match(domain):
        return found[0]
    return EMAIL + (path or "")


def _card(found: re.Match[str]) -> str:
    digits = found[0].replace(" ", "").replace("-", "")
    return CARD if luhn(digits) and len(set(digits)) > 1 else found[0]


def _may_have_digits(text: str, count: int) -> bool:
    """Return False, after a microsecond, where TEXT has nowhere COUNT digits as numbers are written."""
    return not text.isascii() or b"0" * count in text.encode().translate(_ALIKE, _BETWEEN_DIGITS)


def _may_have_card(text: str) -> bool:
    return _may_have_digits(text, 14) and _CARD_HINT.search(text) is not None


def _may_have_phone(text: str, lower: str) -> bool:
    if ("+" in text or _may_have_digits(text, 10)) and _PHONE_HINT.search(text):
        return True
    return any(word in lower for word in _PHONE_WORDS) and _DIGITS.search(text) is not None


def _phone(found: re.Match[str]) -> str:
    number = found[2] or found[0]
    digits = sum(each.isdecimal() for each in number)
    least = 7
    if number[1:].isdecimal() and number[0] == "+":
        # A line of a patch may begin with a plus and a number.
        least = 10 if found.start() and found.string[found.start() - 1] == "\n" else 8
    return found[0].replace(number, PHONE) if least <= digits <= 15 else found[0]
