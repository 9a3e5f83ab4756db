"""What is added to the pages of Locust's own UI."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from locust.runners import STATE_STOPPED, STATE_STOPPING

from loadlab.generator import locust_page
from tests.masters import Master


@pytest.fixture
def master(tmp_path: Path) -> Iterator[Master]:
    """A master."""
    made = Master(tmp_path)
    yield made
    made.close()


def test_the_bar_and_the_tab_are_there(master: Master) -> None:
    """The page of this Locust has the place that the bar is put at, once, and is told of the tab."""
    page = master.app.test_client().get("/").text
    assert page.count('id="lab-bar"') == page.count(locust_page.ROOT) == 1
    arguments = re.search(r"window.templateArgs = (.*)", page)
    assert arguments is not None
    assert json.loads(arguments[1])["extended_tabs"] == [locust_page.TAB]


def test_the_tabs_of_a_user_stay(tmp_path: Path) -> None:
    """A locustfile may have added one of its own before."""
    master = Master(tmp_path)
    own = {"title": "Own", "key": "own"}
    master.ui.template_args["extended_tabs"] = [own]
    locust_page.attach(master.ui)
    assert master.ui.template_args["extended_tabs"] == [own, locust_page.TAB]
    master.close()


def test_this_locust_lets_a_tab_name_its_element(master: Master) -> None:
    """What the Lab tab rests on, as the front end of the pinned version has it."""
    assets = Path(str(master.app.template_folder)) / "assets"
    (script,) = assets.glob("*.js")
    assert re.search(r"map\(\(\{component:(\w+)=\w+\},\w+\)=>.{0,40}\.jsx\)\(\1,\{\}", script.read_text())


@pytest.mark.parametrize(("state", "told"), [(STATE_STOPPING, "running"), (STATE_STOPPED, "stopped")])
def test_a_page_that_asks_while_users_stop_asks_on(master: Master, state: str, told: str) -> None:
    """Told "stopping", it would ask no more, and never learn that the test has stopped."""
    master.runner.state = state
    document = master.app.test_client().get("/stats/requests").json
    assert document is not None
    assert document["state"] == told
    assert master.app.test_client().get("/workers").json["state"] == state  # type: ignore[index]
