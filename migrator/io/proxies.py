"""Which proxy a request leaves through, by the variables that curl and most other programs read.

The rules:

1. `https_proxy` names it, else `all_proxy`, in small letters or large ones; the small ones win, and where
   they are set to nothing the large ones count for nothing (urllib.request.getproxies_environment).
2. `no_proxy` names the hosts that are reached without: names, with all that end in them, addresses, networks
   such as `10.0.0.0/8`, each with a port or without; `*` is every host.
3. Nobody else's machine stands between us and ourselves: loopback addresses are always reached without, and
   plain HTTP goes to nobody else, but for the metadata service, which no proxy could reach.
4. The value may hold a password, so no error repeats it.
"""

import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from yarl import URL

from migrator.domain.errors import UsageError


def proxy_for(url: URL, environ: Mapping[str, str]) -> URL | None:
    """The proxy between us and `url`, with its credentials if it wants some; None if there is none.

    Raises UsageError, which names the variable, for a proxy that cannot be used.
    """
    host = (url.host or "").rstrip(".").lower()
    if (
        url.scheme != "https"
        or _is_loopback(host)
        or _is_spared(host, url.port or 443, _value("no", environ)[1])
    ):
        return None
    for kind in ("https", "all"):
        name, value = _value(kind, environ)
        if value:
            return _checked(value, name)
    return None


def _value(kind: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Name and value of a variable that may be written in small letters or large ones."""
    small = f"{kind}_proxy"
    name = small if small in environ else small.upper()
    return name, environ.get(name, "").strip()


def _checked(text: str, name: str) -> URL:
    if socks := re.match(r"socks\w*(?=://)", text, re.IGNORECASE):
        raise UsageError(
            f"{name} names a proxy that speaks {socks[0].upper()}, and only HTTP proxies can be used",
            hint=f'Set HTTPS_PROXY to "http://host:port"; or unset {name}, or name in NO_PROXY what is '
            "reached without.",
        )
    try:
        url = URL(text if "://" in text else f"http://{text}")
        known = url.scheme in ("http", "https") and bool(url.host) and url.port not in (None, 0)
    except (ValueError, IndexError):  # yarl raises the latter for "[]@"
        known = False
    # A path is what is left of a password with a slash in it that nobody encoded.
    if (
        not known
        or url.path not in ("", "/")
        or url.raw_query_string
        or "#" in text
        or not text.isprintable()
    ):
        raise UsageError(
            f"{name} is not the address of a proxy",
            hint=f'Write "http://host:port" or "http://user:password@host:port", in a password %40 for @ and '
            f"%2F for /; or unset {name}.",
        )
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_spared(host: str, port: int, listed: str) -> bool:
    """Whether `listed`, the value of NO_PROXY, names this host."""
    entries = [entry.lower().removeprefix("*.") for entry in re.split(r"[\s,]+", listed) if entry]
    if "*" in entries:
        return True
    try:
        address = ip_address(host)
    except ValueError:
        # Names and their ends are the standard library's to compare; it knows no networks.
        return bool(proxy_bypass_environment(f"{host}:{port}", {"no": ",".join(entries)}))
    return any(
        address in network and only in (None, port) for network, only in filter(None, map(_network, entries))
    )


def _network(entry: str) -> tuple[IPv4Network | IPv6Network, int | None] | None:
    """The addresses that an entry of NO_PROXY means, and the port if it is about one; None for a name."""
    split = re.fullmatch(r"\[([0-9a-f:.]+)\](?::(\d+))?|([0-9.]+):(\d+)", entry)
    text, port = (split[1] or split[3], split[2] or split[4]) if split else (entry, None)
    try:
        return ip_network(text, strict=False), int(port) if port else None
    except ValueError:
        return None
