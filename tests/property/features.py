"""What a line of a random module can do besides importing: define, register, patch, read, discover."""

from __future__ import annotations

from tests.property.author import REGISTRIES, Author, Feature
from tests.property.imports import guess
from tests.property.model import Block, is_package


def value(author: Author) -> Block:
    """A plain constant."""
    name = f"V{author.names()}"
    return author.block("value", f"{name} = §", (name, "value"))


def derived(author: Author) -> Block:
    """A constant computed while the module executes."""
    name = f"W{author.names()}"
    return author.block("derived", f'{name} = ("w", {author.value()}, {author.value()})', (name, "value"))


def function(author: Author) -> Block:
    """A function: plain, with a captured default, cached, or decorated."""
    name, expr, form = f"f{author.names()}", author.value(), author.chooser.integer(0, 3)
    if form == 0:
        text = f"def {name}():\n    return ({expr}, §)"
    elif form == 1:
        text = f"def {name}(given={expr}):\n    return (given, §)"
    elif form == 2:
        text = f"@functools.cache\ndef {name}():\n    return ({expr}, §)"
    else:
        text = (
            f"def deco_{name}(inner):\n    @functools.wraps(inner)\n    def wrapper():\n        return ('§', inner())\n"
            f"    return wrapper\n\n\n@deco_{name}\ndef {name}():\n    return {expr}"
        )
    return author.block("function", text, (name, "func"))


def class_(author: Author) -> Block:
    """A class, perhaps a dataclass or a subclass of something imported, perhaps with an instance beside it."""
    name, expr, form = f"C{author.names()}", author.value(), author.chooser.integer(0, 3)
    if form == 0:
        text = f"@dataclasses.dataclass\nclass {name}:\n    label: object = {expr}\n    number: int = §"
    elif form == 1 and (bases := author.scope("class")):
        base = author.chooser.pick(bases).expr
        text = f"class {name}({base}):\n    own = §\n\n\nO{name} = {name}()\nIS{name} = isinstance(O{name}, {base})"
        return author.block("subclass", text, (name, "class"), (f"O{name}", "object"), (f"IS{name}", "value"))
    else:
        text = f"class {name}:\n    label = {expr}\n    number = §\n\n\nO{name} = {name}()"
        return author.block("class", text, (name, "class"), (f"O{name}", "object"))
    return author.block("dataclass", text, (name, "class"))


def isinstance_(author: Author) -> Block | None:
    """Asks, now and at each request, whether objects and classes from elsewhere belong together."""
    objects, classes = author.scope("object"), author.scope("class")
    if not objects or not classes:
        return None
    thing, cls, name = author.chooser.pick(objects).expr, author.chooser.pick(classes).expr, f"IS{author.names()}"
    test = f"isinstance({thing}, {cls})"
    text = f"{name} = {test}\ndef f{name}():\n    return ({test}, {cls} is type({thing}))"
    return author.block("isinstance", text, (name, "value"), (f"f{name}", "func"))


def enum_(author: Author) -> Block:
    """An enum, and a member kept beside it."""
    name = f"E{author.names()}"
    text = (
        f"class {name}(enum.Enum):\n    RED = §\n    BLUE = 5\n\n\nRED{name} = {name}.RED\n"
        f"def same{name}(member=RED{name}):\n    return (member is {name}.RED, {name}.RED.value)"
    )
    return author.block("enum", text, (name, "enum"), (f"RED{name}", "member"), (f"same{name}", "func"))


def identity(author: Author) -> Block | None:
    """Whether a member or an object imported here is the one that its class knows."""
    members, enums = author.scope("member"), author.scope("enum")
    if not members or not enums:
        return None
    name = f"f{author.names()}"
    member, cls = author.chooser.pick(members).expr, author.chooser.pick(enums).expr
    return author.block(
        "identity", f"def {name}():\n    return [({member} is each, §) for each in {cls}]", (name, "func")
    )


def state(author: Author) -> Block:
    """Module-level state that the module itself changes while it executes."""
    name = f"S{author.names()}"
    text = f'{name} = {{"n": §}}\n{name}["n"] += 1\nfor _n in range(3):\n    {name}[_n] = _n * §'
    return author.block("state", text, (name, "dict"))


_HOLDERS = {
    "list": ("{n} = [§]", [("{n}", "list")]),
    "dict": ('{n} = {{"first": §}}', [("{n}", "dict")]),
    "set": ("{n} = {{§}}", [("{n}", "set")]),
    "weak": ("{n} = weakref.WeakSet()", [("{n}", "weak")]),
    "deep": ('{n} = {{"menu": {{"items": [§]}}}}', [("{n}", "deep")]),
    "bus": (
        "{n} = {{}}\n\n\ndef on{n}(event):\n    def register(handler):\n"
        "        {n}.setdefault(event, []).append(handler)\n        return handler\n    return register",
        [("{n}", "table"), ("on{n}", "bus")],
    ),
    "registry": (
        "class K{n}:\n    known = {{}}\n\n    def __init__(self):\n        self.items = []\n\n"
        "    def register(self, thing):\n        self.items.append(thing)\n        self.known[len(self.known)] = §\n"
        "        return thing\n\n\n{n} = K{n}()",
        [("{n}", "registry"), ("K{n}", "table")],
    ),
    "counter": (
        "{n} = §\n\n\ndef bump{n}():\n    global {n}\n    {n} += 1\n    return {n}",
        [("{n}", "value"), ("bump{n}", "counter")],
    ),
    "base": (
        "class {n}:\n    label = §\n\n\ndef all{n}():\n"
        "    return sorted((cls.__name__, str(cls.label)) for cls in {n}.__subclasses__())",
        [("{n}", "base"), ("all{n}", "func")],
    ),
    "base_list": (
        "class {n}:\n    label = §\n    known = []\n\n"
        "    def __init_subclass__(cls):\n        {n}.known.append(cls.__name__)",
        [("{n}", "base_list")],
    ),
}


def holder(author: Author) -> Block:
    """Something that other modules register with."""
    kind = author.chooser.pick(list(_HOLDERS))
    name, (text, defines) = f"R{author.names()}", _HOLDERS[kind]
    if kind == "base" and author.hard and author.chooser.chance(40):
        text = text.replace("sorted((", "list((")
    return author.block("holder", text.format(n=name), *((expr.format(n=name), use) for expr, use in defines))


# -- effects on other modules --------------------------------------------------------------------------------------


def registration(author: Author) -> Block | None:
    """Write into something that another module holds."""
    chooser, options = author.chooser, author.scope(*REGISTRIES)
    if not options:
        return None
    use = chooser.pick(options)
    number = author.names()
    entry = chooser.pick([f'("{author.name}", §)', "§", author.value(), f"h{number}", f"T{number}"])
    text = f"def h{number}():\n    return ({author.value()}, §)\n\n\nclass T{number}:\n    label = §\n\n\n"
    forms = {
        "list": ["{e}.append({x})", "{e}.extend([{x}, §])", "{e}.insert(0, {x})"],
        "dict": [
            '{e}["k{n}"] = {x}',
            "{e}.update(k{n}={x})",
            '{e}.setdefault("many", []).append({x})',
            '{e}["first"] = {x}',
        ],
        "set": ["{e}.add({x})", "{e}.update([{x}])"],
        "weak": ["{e}.add(T{n})"],
        "deep": ['{e}["menu"]["items"].append({x})', '{e}["menu"]["k{n}"] = {x}'],
        "bus": ["{e}('saved')(h{n})", "@{e}('saved')\ndef g{n}():\n    return ({x}, §)"],
        "registry": ["@{e}.register\ndef g{n}():\n    return §", "{e}.register({x})", "{e}.items.append({x})"],
        "counter": ["B{n} = {e}()", "{e}()"],
        "base": ["class P{n}({e}):\n    label = §", "class P{n}({e}):\n    pass"],
        "base_list": ["class P{n}({e}):\n    label = §"],
    }
    text += chooser.pick(forms[use.kind]).format(e=use.expr, x=entry, n=number)
    return author.block("register", text, (f"h{number}", "func"))


def patch(author: Author) -> Block | None:
    """Replace an attribute of another module or class."""
    options = [use for use in author.scope("value", "func") if "." in use.expr]
    classes = author.scope("class", "base")
    if classes and author.chooser.chance(40):
        return author.block("patch", f"{author.chooser.pick(classes).expr}.label = ('patched', §)")
    if not options:
        return None
    use = author.chooser.pick(options)
    return author.block("patch", f"{use.expr} = {'§' if use.kind == 'value' else 'lambda: (§,)'}")


# -- files and folders ---------------------------------------------------------------------------------------------


def data_file(author: Author) -> Block:
    """Read a data file, beside the module or in the working directory, itself or through a helper."""
    chooser, number = author.chooser, author.names()
    known = sorted(author.project.data)
    file = chooser.pick(known) if known and chooser.chance(50) else f"data/d{number}.json"
    author.project.data.setdefault(file, f'{{"price": {chooser.integer(10, 99)}}}')
    readers = author.scope("reader")
    if readers and chooser.chance(60):
        text = f'D{number} = {chooser.pick(readers).expr}("{file}")'
    elif chooser.chance(30):
        up = f"parents[{author.path.count('/')}]"
        text = f'D{number} = json.loads((pathlib.Path(__file__).{up} / "{file}").read_text())'
    elif chooser.chance(20):
        text = f'try:\n    D{number} = open("{file}").read()\nexcept OSError:\n    D{number} = "no file"'
    else:
        text = f'with open("{file}") as stream:\n    D{number} = json.load(stream)'
    return author.block("data", text, (f"D{number}", "thing"))


def reader(author: Author) -> Block:
    """A helper that reads data files for others, perhaps with a cache."""
    name = f"read{author.names()}"
    cache = "@functools.lru_cache\n" if author.chooser.chance(50) else ""
    return author.block(
        "reader", f"{cache}def {name}(file):\n    return json.loads(pathlib.Path(file).read_text())", (name, "reader")
    )


def discover(author: Author) -> Block | None:
    """Import every module of a folder."""
    number = author.names()
    if is_package(author.path) and author.chooser.chance(50):
        text = (
            f"P{number} = []\nfor info in sorted(pkgutil.iter_modules(__path__), key=lambda each: each.name):\n"
            f'    P{number}.append(importlib.import_module("." + info.name, __name__))'
        )
        return author.block("discover", text, (f"P{number}", "thing"))
    folders = sorted({path.rpartition("/")[0] for path in author.project.sources if "/" in path})
    folders = [
        folder for folder in folders if folder.replace("/", ".") not in author.name and "controllers" not in folder
    ]
    if not folders:
        return None
    folder = author.chooser.pick(folders)
    text = (
        f'P{number} = []\nfor each in sorted(pathlib.Path("{folder}").glob("*.py")):\n'
        f'    if each.stem != "__init__":\n'
        f'        P{number}.append(importlib.import_module("{folder.replace("/", ".")}." + each.stem).show)'
    )
    return author.block("discover", text, (f"P{number}", "thing"))


def getattr_(author: Author) -> Block:
    """A module-level __getattr__: a computed name, or submodules on demand."""
    name = f"lazy{author.names()}"
    text = (
        f'def __getattr__(name):\n    if name == "{name}":\n        return ({author.value()}, §)\n'
        '    if name.startswith("sub"):\n        return ("computed", name, §)\n'
        f'    raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")'
    )
    return author.block("getattr", text, (f"{name}", "lazy_name"))


DEFINITIONS: list[Feature] = [value, value, derived, function, function, class_, class_, enum_, state, reader]
HOLDERS: list[Feature] = [holder]
USES: list[Feature] = [
    derived,
    function,
    class_,
    isinstance_,
    identity,
    registration,
    registration,
    registration,
    patch,
]
WORLD: list[Feature] = [data_file, guess, guess, discover, getattr_]
