"""Registers the plugin with the applied stack."""

from __future__ import annotations

import importlib

import pytest


def pytest_sessionstart(session: pytest.Session) -> None:
    """Adds the fixtures of tests/stack.py; conftest files themselves are read too early for them."""
    plugins = session.config.pluginmanager
    if not plugins.has_plugin("stack"):
        plugins.register(importlib.import_module("tests.stack"), "stack")
