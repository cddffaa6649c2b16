"""What the two XML dialects of scorings share: their root, and numbers in their elements."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import parse

from hypnoflow.errors import RecordingError
from hypnoflow.native.damaged import PARSER_ERRORS, cause, seconds


def root_of(path: Path, tag: str, what: str) -> Element:
    """Return the root of an XML file; RecordingError unless it is well-formed and its root is a `tag`."""
    try:
        root = parse(path).getroot()
    except PARSER_ERRORS as error:
        raise RecordingError(f"not readable as XML ({cause(error)})", path=path) from error
    if root is None or root.tag != tag:
        found = "" if root is None else root.tag
        raise RecordingError(f"root element is <{found}>, expected <{tag}> ({what})", path=path)
    return root


def number_in(element: Element, tag: str, about: str, path: Path, least: float = -math.inf) -> float:
    """Return the number that a child holds; RecordingError, which says what it is `about`, for anything else."""
    text = element.findtext(tag)
    value = seconds(text or "")
    if math.isnan(value) or value < least:
        raise RecordingError(f"{about}: {tag} is {text!r}", path=path)
    return value
