"""What a module wrote into others while it executed is there once, however often it is replaced."""

from __future__ import annotations

import pytest

from tests.hmr.conftest import Project

REGISTRY = """
from collections import defaultdict, deque
LIST = []
DICT = {}
SET = set()
DEQUE = deque()
BUS = defaultdict(list)
VALUE = "original"
COUNT = 0
class Registry:
    of_class = []
    def __init__(self):
        self.entries = []
        self.by_name = {}
        self.count = 0
    def register(self, function):
        self.entries.append(function.__name__)
        self.by_name[function.__name__] = function
        return function
registry = Registry()
def on(event):
    def decorate(function):
        BUS[event].append(function)
        return function
    return decorate
def count():
    global COUNT
    COUNT += 1
def state():
    return {
        "list": list(LIST), "dict": dict(DICT), "set": sorted(SET), "deque": list(DEQUE),
        "bus": {event: [f.__name__ for f in functions] for event, functions in BUS.items()},
        "value": VALUE, "count": COUNT, "of_class": list(Registry.of_class),
        "entries": list(registry.entries), "by_name": sorted(registry.by_name), "counted": registry.count,
    }
"""


@pytest.mark.parametrize(
    "statement",
    [
        "reg.LIST.append('plain data')",
        "reg.LIST.insert(0, ('a', 'tuple'))",
        "reg.LIST += ['one', 'two']",
        "reg.DICT['page'] = {'a': 1}",
        "reg.DICT.setdefault('pages', []).append('page')",
        "reg.SET.add('page')",
        "reg.DEQUE.append('page')",
        "reg.BUS['saved'].append(len)",
        "@reg.on('saved')\ndef handler(): ...",
        "@reg.on('saved')\ndef handler(): ...\n@reg.on('saved')\ndef handler_two(): ...",
        "@reg.registry.register\ndef handler(): ...",
        "reg.Registry.of_class.append('page')",
        "reg.VALUE = 'patched'",
        "reg.count()",
        "reg.registry.count += 1",
        "reg.registry.extra = 1",
    ],
)
@pytest.mark.parametrize("reached", ["import reg", "from core import reg", "import helper; reg = helper.reg"])
def test_a_registration_is_there_once_after_each_update(project: Project, statement: str, reached: str) -> None:
    project.write("reg.py", REGISTRY)
    project.write("core/__init__.py", "import reg")
    project.write("helper.py", "import reg")
    project.write("page.py", f"{reached}\nVERSION = 1\n{statement}\ndef index():\n    return reg.state()")
    project.write("app.py", "import reg, core, helper\nroutes = []")
    project.start()
    cold = project.ask("page:index")
    for version in range(2, 5):
        project.save(project.edit("page.py", f"VERSION = {version - 1}", f"VERSION = {version}"))
        assert project.ask("page:index") == cold
    project.save(project.edit("page.py", statement, ""))
    clean = project.ask("page:index")
    assert clean["list"] == [] and clean["dict"] == {} and clean["set"] == [] and clean["count"] == 0
    assert clean["bus"].get("saved", []) == [] and clean["entries"] == [] and clean["value"] == "original"


def test_registrations_of_others_stay(project: Project) -> None:
    project.write("reg.py", REGISTRY)
    for name in ("one", "two"):
        project.write(
            f"{name}.py",
            f"import reg\nreg.LIST.append('{name}')\nreg.DICT['{name}'] = 1\n"
            f"@reg.on('saved')\ndef {name}_saved(): ...\ndef index(): return reg.state()",
        )
    project.write("app.py", "import reg\nroutes = []")
    project.start()
    project.ask("one:index")
    project.ask("two:index")
    project.save(project.edit("one.py", "'one')", "'eins')"))
    state = project.ask("two:index")
    assert state["list"] == ["two"] and state["bus"] == {"saved": ["two_saved"]}
    state = project.ask("one:index")
    assert state["list"] == ["two", "eins"] and state["bus"] == {"saved": ["two_saved", "one_saved"]}


def test_the_order_of_an_import_sequence_is_kept(project: Project) -> None:
    """`plugins` imports one, two, three: after an edit of one, a fresh process would list it first again."""
    project.write("reg.py", REGISTRY)
    for name in ("one", "two", "three"):
        project.write(f"plugins/{name}.py", f"import reg\nreg.LIST.append('{name}')\n")
    project.write("plugins/__init__.py", "from plugins import one, two, three")
    project.write("page.py", "import plugins, reg\ndef index(): return list(reg.LIST)")
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("page:index") == ["one", "two", "three"]
    project.save(project.edit("plugins/one.py", "'one'", "'eins'"))
    assert project.ask("page:index") == ["eins", "two", "three"]


def test_a_counter_that_others_have_moved_on_makes_its_module_stale(project: Project) -> None:
    project.write("reg.py", REGISTRY)
    for name in ("one", "two"):
        project.write(f"{name}.py", "import reg\nreg.count()\nX = 1\ndef index(): return reg.state()['count']")
    project.write("app.py", "routes = []")
    project.start()
    assert (project.ask("one:index"), project.ask("two:index")) == (1, 2)
    update = project.save(project.edit("one.py", "X = 1", "X = 2"))
    assert "reg" in update.stale
    assert (project.ask("one:index"), project.ask("two:index")) == (1, 2)


def test_what_a_handler_adds_while_serving_is_left_alone(project: Project) -> None:
    project.write("reg.py", REGISTRY)
    project.write("page.py", "import reg\nX = 1\ndef index():\n    reg.LIST.append('visit')\n    return list(reg.LIST)")
    project.write("app.py", "import reg\nroutes = []")
    project.start()
    assert project.ask("page:index") == ["visit"]
    project.save(project.edit("page.py", "X = 1", "X = 2"))
    assert project.ask("page:index") == ["visit", "visit"]


def test_an_object_made_at_first_use_is_kept(project: Project) -> None:
    """`_engine = None` until somebody asks: who asked first does not own it."""
    project.write(
        "db.py",
        """
        _engine = None
        def engine():
            global _engine
            if _engine is None:
                _engine = object()
            return _engine
        """,
    )
    project.write("page.py", "import db\nENGINE = db.engine()\nX = 1\ndef index(): return ENGINE")
    project.write("app.py", "import db\nroutes = []")
    project.start()
    engine = project.ask("page:index")
    project.save(project.edit("page.py", "X = 1", "X = 2"))
    assert project.ask("page:index") is engine
