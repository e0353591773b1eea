"""The texts that are looked up in catalogues: of the code, and of the web page's templates."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, nodes

from tamis.checks.rules.catalogue import RULES

PACKAGE = Path(__file__).parents[1] / "milter" / "tamis"
TEMPLATES = PACKAGE / "options" / "templates"
LOOK_UPS = ("gettext", "text", "say")


def texts() -> Iterator[str]:
    """Return each text of the code and of the templates that is looked up in a catalogue."""
    yield from _of_the_code()
    yield from (rule.about for rule in RULES.values())
    for path in sorted(TEMPLATES.glob("*.html")):
        yield from of_a_template(path)


def _of_the_code() -> Iterator[str]:
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text()
        if "tamis.words" not in source and "gettext" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            value = node.args[0].value
            if called in LOOK_UPS and isinstance(value, str):
                yield value


def of_a_template(path: Path) -> Iterator[str]:
    """Return the texts of a template's _("...")."""
    for call in Environment(autoescape=True).parse(path.read_text()).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "_":
            for argument in call.args:
                constants = [*argument.find_all(nodes.Const)]
                if isinstance(argument, nodes.Const):
                    constants.append(argument)
                yield from (one.value for one in constants if isinstance(one.value, str))
