"""The application on a database of its own, imported afresh for each test."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from hotserve import hot

if TYPE_CHECKING:
    from starlette.testclient import TestClient

FOLDER = Path(__file__).parent.parent


@pytest.fixture
def packing_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module `app`. Its modules have names as any other application's, so they leave with the test."""
    monkeypatch.setenv("PACKING_DB", str(tmp_path / "packing.db"))
    monkeypatch.syspath_prepend(str(FOLDER))
    before = set(sys.modules)
    import app

    yield app
    if database := sys.modules.get("services.database"):
        database.connection.close()
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(FOLDER)):
            del sys.modules[name]
            hot.drop(name)


@pytest.fixture
def client(packing_app: ModuleType) -> Iterator[TestClient]:
    """A client of the application, between the start and the end of its lifespan."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer versions of Starlette ask for another HTTP client than httpx
        from starlette.testclient import TestClient
    with TestClient(packing_app.app) as client:
        yield client
