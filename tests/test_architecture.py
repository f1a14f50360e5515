"""The floors of the house: what may know of what (docs/architecture.rst draws them).

Read from the source, not from what happens to be imported: an import inside a function or under
TYPE_CHECKING is knowledge too.
"""

import ast
import subprocess
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import pulp_download
from tests.uncovered import UNCOVERED

# From the ground up. A room (a module or a folder of the package) knows rooms of lower floors,
# never of its own or a higher one. Inside a folder the files may know each other, without cycles.
FLOORS = (
    ("exits", "folders", "partials", "printable", "ranges", "version"),
    ("failure", "shares"),
    ("errors",),
    ("headers",),
    ("urls", "validations"),
    ("elements", "lines", "paths", "pieces"),
    ("mirrors", "repair"),
    ("bases",),
    ("events", "retries", "scores", "settings", "speed", "standing", "writers"),
    ("sinks", "telling"),
    (
        "auth",
        "edition",
        "existing",
        "fields",
        "files",
        "proxies",
        "statuses",
        "sweeping",
        "tls",
        "watch",
    ),
    ("arguments", "foreign", "watchdog"),
    ("turns",),
    ("host", "sockets"),
    ("hosts",),
    ("rivals", "state"),
    ("adapters", "redirects"),
    ("session", "steps"),
    ("asking",),
    ("result",),
    ("remote",),
    ("delivery",),
    ("making",),
    ("kept", "mending", "notes", "resuming", "segments"),
    ("sharing",),
    ("content", "documents", "fetch", "leads"),
    ("sources",),
    ("outcome",),
    ("run",),
    ("opening",),
    ("download",),
    ("futures", "helm", "manifests"),
    ("crew",),
    ("batch",),
    ("importer", "streamer"),
    ("pulp_download",),  # the package's own __init__: the public names
    ("cli",),
    ("__main__",),
)

# Pairs (room, higher room) where an annotation alone needs the name, and why that is right.
ONLY_FOR_TYPES = {
    ("events", "download"): "an event says which download it tells of, and does nothing with it",
    ("events", "result"): "an event hands the result on, and does nothing with it",
    ("telling", "download"): "events tell which download they tell of",
    ("telling", "result"): "a result is handed on in an event",
    ("result", "download"): "a result carries its download back to the caller",
    ("turns", "host"): "a turn has its host, and does nothing with it",
    ("turns", "hosts"): "a turn asks those that give it",
    ("watch", "turns"): "a watch carries its run's turn down to where redirects are followed",
    ("watch", "rivals"): "a watch asks, for the watchdog, whether it is better left",
    ("watch", "speed"): "a watch carries the limit down to where bytes are handed on",
    ("fetch", "download"): "a fetch reads its description",
    ("sources", "download"): "the sources of a run read its description",
    ("sinks", "files"): "a sink reads the writer that opened it",
    ("outcome", "download"): "a result carries its download back to the caller",
    ("opening", "download"): "an opening reads its description",
    ("run", "download"): "a run reads its description; the description makes the run",
}

# Foreign packages that have one home.
HOMES = {
    "click": {"cli"},
    "rich": {"cli"},
    "requests_ftp": {"adapters"},
    "sqlalchemy": {"importer"},
    # SQLAlchemy loads it for URLs that ask for it
    "psycopg": set(),
    # serve runs the reactor
    "twisted": {"streamer", "cli"},
    "prometheus_client": {"streamer"},
    # for tests and examples: ASGI and WSGI are protocols
    "asgiref": set(),
    "flask": set(),
    "starlette": set(),
    "uvicorn": set(),
    "werkzeug": set(),
    "zope": {"streamer"},
    "zstandard": {"manifests"},
}

# Adapters know nothing of downloads and downloads nothing of thread pools: floors and this table.
STRANGERS = {
    "adapters": {"concurrent"},
    "content": {"concurrent"},
    "fetch": {"concurrent"},
    "run": {"concurrent"},
    "download": {"concurrent"},
    "batch": {"requests", "urllib3", "http", "socket", "ssl"},
}

# What "import pulp_download" leaves alone: people import it in programs that need none of these.
HEAVY = {
    "click",
    "ijson",
    "prometheus_client",
    "psycopg",
    "requests_ftp",
    "rich",
    "sqlalchemy",
    "sqlite3",
    "twisted",
    "zstandard",
}

# What it leaves for those who come to need it, for every program waits while it is imported.
SELDOM = {
    "netrc",
    "pulp_download.documents",
    "pulp_download.edition",
    "pulp_download.events",
    "pulp_download.leads",
    "pulp_download.making",
    "pulp_download.mending",
    "pulp_download.mirrors.digest_fields",
    "pulp_download.notes",
    "pulp_download.pieces",
    "pulp_download.ranges",
    "pulp_download.repair",
    "pulp_download.resuming",
    "pulp_download.rivals",
    "pulp_download.segments",
    "pulp_download.sharing",
    "pulp_download.sweeping",
}

# A file that a reader can hold in the head; members of a kind get files of their own.
MOST_LINES = 300

ROOT = Path(__file__).parent.parent
PACKAGE = "pulp_download"
HEIGHTS = {room: height for height, floor in enumerate(FLOORS) for room in floor}


class Import(NamedTuple):
    module: str
    line: int
    for_types: bool


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """Return the room a module is in; the package's own ``__init__`` is a room too."""
    return module.split(".")[1] if "." in module else module


SOURCES = {name_of(path): path for path in sorted((ROOT / PACKAGE).rglob("*.py"))}
each_module = pytest.mark.parametrize("module", SOURCES)


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def imports_of(module: str) -> list[Import]:
    """Return every import of a module, its own package's resolved to modules."""
    found = []

    def visit(node: ast.AST, *, for_types: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, node.lineno, for_types) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                is_package = SOURCES[module].name == "__init__.py"
                parts = module.split(".")
                parents = parts[: len(parts) - node.level + is_package]
                base = ".".join([*parents, base] if base else parents)
            for alias in node.names:
                submodule = f"{base}.{alias.name}"
                target = submodule if submodule in SOURCES else base
                found.append(Import(target, node.lineno, for_types))
        elif is_type_checking(node):
            for child in node.body:
                visit(child, for_types=True)
            for child in node.orelse:
                visit(child, for_types=for_types)
        else:
            for child in ast.iter_child_nodes(node):
                visit(child, for_types=for_types)

    visit(ast.parse(SOURCES[module].read_bytes()), for_types=False)
    return found


def test_there_is_something_to_look_at() -> None:
    assert SOURCES


@each_module
def test_every_module_has_a_floor(module: str) -> None:
    assert room_of(module) in HEIGHTS, f"give {room_of(module)!r} a place in FLOORS"


@each_module
def test_a_room_knows_only_what_is_below_it(module: str) -> None:
    room = room_of(module)
    wrong = [
        f"line {imported.line}: {room} imports {imported.module}"
        for imported in imports_of(module)
        if imported.module.split(".")[0] == PACKAGE
        and (other := room_of(imported.module)) != room
        and not (imported.for_types and (room, other) in ONLY_FOR_TYPES)
        and HEIGHTS.get(other, len(FLOORS)) >= HEIGHTS.get(room, -1)
    ]
    assert not wrong


def test_no_import_leads_back_to_its_own_module() -> None:
    graph = {
        module: {
            imported.module
            for imported in imports_of(module)
            if imported.module in SOURCES and not imported.for_types
        }
        for module in SOURCES
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]), pytrace=False)


def test_exceptions_from_the_floors_are_still_needed() -> None:
    in_use = {
        (room_of(module), room_of(imported.module))
        for module in SOURCES
        for imported in imports_of(module)
        if imported.for_types
    }
    assert set(ONLY_FOR_TYPES) <= in_use


@each_module
def test_foreign_packages_stay_in_their_rooms(module: str) -> None:
    room = room_of(module)
    foreign = {imported.module.split(".")[0] for imported in imports_of(module)}
    assert not {name for name in foreign if room not in HOMES.get(name, {room})}
    assert not foreign & STRANGERS.get(room, set())


@each_module
def test_no_file_outgrows_a_reader(module: str) -> None:
    lines = SOURCES[module].read_bytes().count(b"\n")
    assert lines <= MOST_LINES


def loaded_by(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has after this."""
    done = subprocess.run(
        [*UNCOVERED, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_importing_the_package_pulls_in_nothing_heavy() -> None:
    loaded = loaded_by(f"import {PACKAGE}")
    assert not HEAVY & {name.partition(".")[0] for name in loaded}


def test_importing_the_package_leaves_alone_what_few_programs_need() -> None:
    assert not SELDOM & loaded_by(f"import {PACKAGE}")


def test_a_public_name_that_few_programs_need_is_there_when_it_is_asked_for() -> None:
    assert f"{PACKAGE}.events" in loaded_by(f"from {PACKAGE} import Finished")


def test_the_package_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="'pulp_download' has no attribute 'Finnished'"):
        _ = pulp_download.Finnished
