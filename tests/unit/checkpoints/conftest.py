"""Files in exactly the published format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.contract.test_models import unsettle

from hypnoflow.models import build_model


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function: network, options → a file ``{"state_dict": …}`` of such a network, made once per session."""
    folder = tmp_path_factory.mktemp("released")

    def write(name: str, **options: object) -> Path:
        path = folder / ("-".join([name, *(f"{k}{v}" for k, v in options.items())]) + ".pth")
        if not path.exists():
            torch.manual_seed(7)
            torch.save({"state_dict": unsettle(build_model(name, **options)).state_dict()}, path)
        return path

    return write
