"""Where a server may send us on to: the web, never back into the network that we stand in.

Not covered: a name that changes its address between the look here and the connection, and, behind a proxy, a name that
only the proxy can look up; the proxy's own rules must keep it from private addresses.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from urllib.parse import unquote, urljoin, urlsplit

import requests
from urllib3.util import parse_url

STATUSES = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 10
PORTS = {"http": 80, "https": 443}

Resolve = Callable[[str], Iterable[str]]  # a host's addresses; none if it is not known


class RedirectError(Exception):
    """A server sends us to where we do not go."""


def addresses_of(host: str) -> list[str]:
    """Return the addresses of a host, as a connection would look them up."""
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return []  # the connection will fail too, unless a proxy makes it


def next_address(start: str, response: requests.Response, secret: str, resolve: Resolve) -> str:
    """Return the address that an answer sends on to.

    Parameters
    ----------
    start : str
        The address that was asked for first. Where its host is private, others of the same kind are followed.
    response : Response
        Has one of `STATUSES`.
    secret : str
        What must not come to another host; may be empty.

    Raises
    ------
    RedirectError
        If the address is no http(s), a step back from https to http, of a private network, or takes the secret along.
    """
    here, there = response.url, _address(response)
    if urlsplit(here).scheme == "https" and urlsplit(there).scheme == "http":
        raise RedirectError("the server sends on from https to http, which anybody can read: not followed")
    if _host(there) != _host(here) and secret and secret in unquote(unquote(unquote(there))):
        raise RedirectError(f"the server sends your token on to {_host(there)[0]}: not followed")
    host = _host(there)[0]
    if host != _host(start)[0]:
        inside = _kinds(host, resolve) - {"public"}
        if inside and inside - _kinds(_host(start)[0], resolve):
            raise RedirectError(f"the server sends on to {host}, a {min(inside)} address: not followed")
    return there


def _address(response: requests.Response) -> str:
    location = response.headers.get("Location", "").encode("latin-1", "replace").decode("utf-8", "replace")
    try:
        there = urljoin(response.url, location)
        if location and urlsplit(there).scheme in PORTS:
            # As the connection will read it: an address must not be one host to the look and another to the visit.
            return str(requests.Request("GET", there).prepare().url)
    except (ValueError, requests.RequestException):
        pass
    raise RedirectError(f"the server sends on to {location[:80]!r}, which is no address of the web")


def _host(address: str) -> tuple[str, int]:
    """Return host and port; http's own port counts as https's, so that a step up stays on the same host."""
    parts = parse_url(address)
    port = parts.port or PORTS[parts.scheme or "http"]
    return (parts.host or "").strip("[]").lower().rstrip("."), PORTS["https"] if port == PORTS["http"] else port


def _kinds(host: str, resolve: Resolve) -> set[str]:
    return {_kind(address) for address in resolve(host)}


def _kind(text: str) -> str:
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or address
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    return "public" if address.is_global and not address.is_multicast else "private"
