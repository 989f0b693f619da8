"""Which names of fields and variables say that what they hold is secret, judged word by word.

`api_key`, `X-Api-Key` and `dbPassword` are; `max_tokens`, `tokenizer`, `password_hash` and `callKey` are not:
a name is cut into its words, and whole words decide.
"""

from __future__ import annotations

import functools
import re


def words(text: str) -> frozenset[str]:
    """Return the words of TEXT."""
    return frozenset(text.split())


_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")

ALWAYS = words(
    "password passwords passwd pwd passphrase passcode apikey apikeys authtoken accesstoken refreshtoken"
    " authorization credential credentials cookie cookies secretkey clientsecret privatekey accesskey"
    " cvv cvc ssn"
)
"""One of these words is enough."""
KEYS_OF = words(
    "api access secret private signing encryption master auth ssh gpg account storage shared consumer license"
)
"""What makes a `key` or `keys` behind it secret."""
PASSES_OF = words("db user admin root smtp ftp mysql pg postgres redis http proxy login")
DESCRIBES = words(
    "count counts limit limits length len size type types kind name names hash digest sha256 id ids path"
    " file files dir folder url uri policy field fields hint expires expiry ttl at enabled required index"
    " prompt version manager min max usage budget used left rule rules class symbol helper valid check"
    " strength label title description format source store provider error errors"
)
"""As the last word: the name is about a secret and holds none."""
TOKENS_THAT_COUNT = words(
    "max min input output total next page pad eos bos unk sep mask stop cancel cancellation continuation"
    " prompt completion per first last new fencing lease each progress work current single previous prev"
    " lookahead end start sync"
)
"""In front of `token`: it belongs to a text, a page or a lease."""


@functools.lru_cache(maxsize=4096)
def is_sensitive(name: str) -> bool:
    """Return whether NAME says that a text under it is secret.

    Example: is_sensitive("OPENAI_API_KEY") -> True; is_sensitive("max_tokens") -> False
    """
    found = _words_of(name)
    if not found or found[-1] in DESCRIBES:
        return False
    if any(word in ALWAYS or word.endswith(("password", "passwd")) for word in found):
        return True
    return _says_so_at_its_end(found)


@functools.lru_cache(maxsize=4096)
def hides_numbers(name: str) -> bool:
    """Return whether NAME says that even a number under it is secret: `password` does, `token` does not."""
    found = _words_of(name)
    if not is_sensitive(name):
        return False
    return found[-1] in ALWAYS or found[-1] == "number" or found[-1].endswith("password")


def _words_of(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name[:128])]


def _says_so_at_its_end(found: list[str]) -> bool:
    last, before = found[-1], found[-2] if len(found) > 1 else ""
    match last:
        case "key" | "keys":
            return before in KEYS_OF
        case "token":
            return before not in TOKENS_THAT_COUNT
        case "secret":
            return True
        case "value" | "header":
            return before in ("secret", "token", "authorization", "auth", "cookie")
        case "pass":
            return not before or before in PASSES_OF
        case "number":
            return before == "card" or (before == "security" and "social" in found)
        case "card":
            return before in ("credit", "debit")
        case _:
            return False
