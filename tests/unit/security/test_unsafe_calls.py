"""What turns data into code, or a checked connection into an unchecked one, stands nowhere in the product."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import ROOT

PACKAGES = ("agent", "bot", "channels", "config", "domain", "handlers", "memory", "monitoring", "rag")
FILES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "jsonpickle", "joblib", "yaml"}
BUILT_IN = {"eval", "exec", "compile", "__import__", "breakpoint", "input"}
METHODS = {
    ("os", "system"),
    ("os", "popen"),
    ("subprocess", "getoutput"),
    ("subprocess", "getstatusoutput"),
    ("ssl", "_create_unverified_context"),
    ("tempfile", "mktemp"),
}
SWITCHES = {"verify": False, "verify_ssl": False, "ssl": False, "shell": True, "pickle_fallback": True}


def unsafe(tree: ast.AST) -> Iterator[str]:
    """What stands in a module that must not, with its line."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Import):
            yield from (f"{line}: {n.name}" for n in node.names if n.name.split(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            yield f"{line}: {node.module}"
        elif isinstance(node, ast.Call):
            yield from (f"{line}: {found}" for found in _called(node))


def _called(call: ast.Call) -> Iterator[str]:
    function = call.func
    if isinstance(function, ast.Name) and function.id in BUILT_IN:
        yield function.id
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        if (function.value.id, function.attr) in METHODS:
            yield f"{function.value.id}.{function.attr}"
        if function.attr == "verify_mode":
            yield function.attr
    for keyword in call.keywords:
        given = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
        if keyword.arg in SWITCHES and given is SWITCHES[keyword.arg]:
            yield f"{keyword.arg}={given}"


def test_the_whole_product_is_looked_at() -> None:
    assert len(FILES) > 150
    assert {file.relative_to(ROOT).parts[0] for file in FILES} == set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_unsafe_is_called(package: str) -> None:
    found = {
        str(file.relative_to(ROOT)): list(unsafe(ast.parse(file.read_text(encoding="utf-8"))))
        for file in FILES
        if file.is_relative_to(ROOT / package)
    }
    assert {file: lines for file, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from marshal import loads",
        "import yaml.loader",
        "eval('1')",
        "exec(text)",
        "subprocess.run(command, shell=True)",
        "session.get(url, ssl=False)",
        "httpx.Client(verify=False)",
        "os.system('ls')",
    ],
)
def test_the_search_finds_what_it_looks_for(code: str) -> None:
    assert list(unsafe(ast.parse(code)))


def test_sql_is_never_built_from_values() -> None:
    """An f-string given to execute may hold a name of ours (a table, a placeholder list), never a call."""
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            statement = node.args[0]
            if node.func.attr in {"execute", "executemany", "executescript"} and isinstance(
                statement, ast.JoinedStr
            ):
                assert _harmless(statement), f"{file.relative_to(ROOT)}:{node.lineno}"


def _harmless(statement: ast.JoinedStr) -> bool:
    values = [part.value for part in statement.values if isinstance(part, ast.FormattedValue)]
    return all(
        isinstance(value, ast.Name | ast.Attribute)
        or (isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "int")
        for value in values
    )


def test_switches_of_libraries_are_set_before_they_are_imported() -> None:
    from config.settings import _LIBRARY_SWITCHES

    assert _LIBRARY_SWITCHES["LANGGRAPH_STRICT_MSGPACK"] == "true"
    assert {name for name, value in _LIBRARY_SWITCHES.items() if value == "false"} >= {
        "LANGSMITH_TRACING",
        "LANGCHAIN_TRACING_V2",
    }


def test_pages_load_nothing_from_elsewhere() -> None:
    for file in sorted((ROOT / "web").rglob("*")):
        if file.suffix in {".html", ".js", ".css"} and "vendor" not in file.parts:
            text = file.read_text(encoding="utf-8")
            assert "http://" not in text.replace("http://www.w3.org/", ""), file
            assert not any(word in text for word in ("https://", "innerHTML", "document.write")), file


def test_the_vendored_library_is_the_one_that_was_reviewed() -> None:
    folder = ROOT / "web" / "admin" / "vendor" / "uplot"
    assert {file.name for file in folder.iterdir()} == {
        "LICENSE",
        "README.md",
        "uPlot.iife.min.js",
        "uPlot.min.css",
    }
    assert b"eval(" not in Path(folder / "uPlot.iife.min.js").read_bytes()
