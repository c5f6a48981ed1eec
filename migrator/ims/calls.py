"""What each request asks for, in one word: for counting, never for deciding."""

import re

_CALLS = (
    ("import", re.compile(r"POST .*/cloudimages/(?:[^/]+/)?action$")),
    ("job", re.compile(r"GET .*/(?:cloudimages/job|jobs)/[^/]+$")),
    ("images", re.compile(r"GET .*/v2/(?:cloud)?images$")),
    ("quota", re.compile(r"GET .*/quota$")),
    ("os-versions", re.compile(r"GET .*/os_version$")),
    ("share", re.compile(r"(?:POST|PUT|GET) .*/members(?:/.*)?$")),
    ("copy", re.compile(r"POST .*/cross_region_copy$")),
    ("tags", re.compile(r"(?:POST|PUT) .*/tags(?:/.*)?$")),
    ("delete", re.compile(r"DELETE .*/images/[^/]+$")),
    ("login", re.compile(r"POST .*/auth/tokens$")),
    ("identity", re.compile(r".* .*/v3(?:\.0)?/.*$")),
    ("key", re.compile(r"POST .*/kms/.*$")),
)

OTHER = "object"
"""What is left: the object storage, whose paths are anybody's."""


def call_of(method: str, url: str) -> str:
    """The call that a request is, by its method and its URL without a query."""
    said = f"{method} {url}"
    return next((name for name, pattern in _CALLS if pattern.match(said)), OTHER)


CALLS = (*(name for name, _ in _CALLS), OTHER)
"""Every word there is."""
