"""Every check as a test of its own, for pytest: ``model_check`` and the same of tasks, services and plugins.

A test that takes one of them and calls it becomes one test a check. What is checked comes from a fixture
that the author writes, ``model_under_test`` for ``model_check`` and so on. pytest loads this module in every
project, so it imports the checks only where one of them is taken.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from speechzoo.testing.findings import Check

_KINDS = ("model", "task", "service", "plugin")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for kind in _KINDS:
        if f"{kind}_check" in metafunc.fixturenames:
            from speechzoo import testing

            checks: tuple[Check, ...] = getattr(testing, f"{kind.upper()}_CHECKS")
            ids = [check.name.replace(" ", "-") for check in checks]
            metafunc.parametrize(f"{kind}_check", checks, ids=ids, indirect=True)


def _calling(kind: str) -> Callable[[pytest.FixtureRequest], Callable[[], None]]:
    def run_check(request: pytest.FixtureRequest) -> Callable[[], None]:
        subject = request.getfixturevalue(f"{kind}_under_test")

        def run() -> None:
            finding = subject.finding(request.param)
            if finding.outcome == "failed":
                pytest.fail(f"{finding.check}: {finding.why}", pytrace=False)
            if finding.outcome == "not applicable":
                pytest.skip(finding.why)

        return run

    return run_check


model_check = pytest.fixture(name="model_check")(_calling("model"))
task_check = pytest.fixture(name="task_check")(_calling("task"))
service_check = pytest.fixture(name="service_check")(_calling("service"))
plugin_check = pytest.fixture(name="plugin_check")(_calling("plugin"))
