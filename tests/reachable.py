"""What of a package is reached from some of its functions, by the names that their code mentions.

No code is run. A name stands for what it is imported from or defined as in its module; a string for
the module, or the `module:Name`, that it spells. A method is reached where its class is and reached
code has an attribute of its name, whatever of: so what is said not to be reached is not, but for
names made of pieces.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_BLOCKS = (ast.If, ast.Try, ast.With)


class Name(NamedTuple):
    """A definition: `read` or `Log.rows` of a module; the module itself where it is empty."""

    module: str
    name: str

    def __str__(self):
        return f"{self.module}:{self.name}"


@dataclass
class Module:
    """The code of a file by what it defines."""

    name: str
    tree: ast.Module
    defined: dict[str, list[ast.AST]] = field(default_factory=dict)

    def __post_init__(self):
        for statement in _flat(self.tree.body):
            for name in _targets(statement) or [""]:
                self.defined.setdefault(name, []).append(statement)

    @cached_property
    def imported(self):
        return dict(self.imports(self.tree.body))

    def imports(self, nodes: Iterable[ast.AST]) -> Iterator[tuple[str, Name]]:
        for node in (each for one in nodes for each in ast.walk(one)):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name} must import by absolute names"
                for alias in node.names:
                    yield alias.asname or alias.name, Name(str(node.module), alias.name)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.asname or alias.name, Name(alias.name, "")


def package(folder: Path) -> dict[str, Module]:
    """Parse all files of a package."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = [*path.relative_to(folder.parent).with_suffix("").parts]
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = Module(name, ast.parse(path.read_text(encoding="utf-8")))
    return found


def public_names(modules: dict[str, Module], within: str) -> set[Name]:
    """Return the public classes, functions and methods of a part of a package, and its files."""
    found = set()
    for module in modules.values():
        if not (module.name + ".").startswith(within + "."):
            continue
        if any(name for name in module.defined):
            found.add(Name(module.name, ""))
        for name, nodes in module.defined.items():
            for node in nodes:
                if name.startswith("_") or not isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
                    continue
                found.add(Name(module.name, name))
                found |= {
                    Name(module.name, f"{name}.{method.name}")
                    for method in _methods(node)
                    if not method.name.startswith("_")
                }
    return found


def reached(modules: dict[str, Module], roots: Iterable[Name], within: str = "") -> set[Name]:
    """Return all definitions that are reached, and the modules; methods one by one within a part.

    Elsewhere all methods of a class are reached with it, since other libraries call them.
    """
    return _Walk(modules, within).from_roots(roots)


class _Walk:
    def __init__(self, modules, within):
        self.modules, self.within = modules, within
        self.found, self.todo = set(), []
        self.attributes, self.waiting = set(), {}

    def from_roots(self, roots):
        for root in roots:
            assert root.name in self.modules[root.module].defined, f"{root} must be there"
            self.reach(root)
        while self.todo:
            self.follow(*self.todo.pop())
        return self.found

    def reach(self, name):
        """Note a definition, and what the import of its module runs, to be followed."""
        module = self.modules.get(name.module)
        if module is None:
            return
        as_module = f"{name.module}.{name.name}"
        if as_module in self.modules and name.name not in module.defined:
            self.reach(Name(as_module, ""))
        elif name.name not in module.defined and name.name in module.imported:
            self.reach(module.imported[name.name])
        else:
            here = {Name(name.module, "")} | ({name} if name.name in module.defined else set())
            for each in here - self.found:
                self.found.add(each)
                self.todo += [(each, node) for node in module.defined.get(each.name, ())]

    def follow(self, name, node):
        """Reach all that the code of a definition mentions."""
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            return  # what is imported counts where it is mentioned
        module, parts = self.modules[name.module], [node]
        if isinstance(node, ast.ClassDef) and (name.module + ".").startswith(self.within + "."):
            methods = [each for each in _methods(node) if not each.name.startswith("__")]
            parts = [each for each in ast.iter_child_nodes(node) if each not in methods]
            for method in methods:
                self.offer(Name(name.module, f"{name.name}.{method.name}"), method)
        names = module.imported | dict(module.imports(parts))
        for each in (some for part in parts for some in ast.walk(part)):
            if isinstance(each, ast.Name):
                self.reach(names.get(each.id, Name(name.module, each.id)))
            elif isinstance(each, ast.Attribute):
                self.mention(each.attr)
                self.of_module(each, names)
            elif isinstance(each, ast.Constant) and isinstance(each.value, str):
                self.spelled(each.value)

    def of_module(self, attribute, names):
        """Reach what is taken from a module, as in `module.read`."""
        if isinstance(attribute.value, ast.Name) and attribute.value.id in names:
            source = names[attribute.value.id]
            inner = f"{source.module}.{source.name}".rstrip(".")
            if inner in self.modules:
                self.reach(Name(inner, attribute.attr))

    def offer(self, name, method):
        """Keep a method until its name is mentioned."""
        attribute = name.name.rpartition(".")[2]
        self.waiting.setdefault(attribute, []).append((name, method))
        if attribute in self.attributes:
            self.mention(attribute)

    def mention(self, attribute):
        self.attributes.add(attribute)
        for name, method in self.waiting.pop(attribute, ()):
            self.found.add(name)
            self.todo.append((name, method))

    def spelled(self, text):
        module, _, name = text.partition(":")
        if module in self.modules:
            defined = self.modules[module].defined
            for each in [name] if name else [each for each in defined if each[:1] != "_"]:
                self.reach(Name(module, each))


def _flat(statements):
    for statement in statements:
        if isinstance(statement, _BLOCKS):
            inner = [statement.body, getattr(statement, "orelse", ())]
            inner += [handler.body for handler in getattr(statement, "handlers", ())]
            yield from (each for some in inner for each in _flat(some))
        else:
            yield statement


def _targets(statement):
    """The names that a statement of a module defines."""
    if isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    else:
        return []
    inner = (each for target in targets for each in ast.walk(target))
    return [each.id for each in inner if isinstance(each, ast.Name)]


def _methods(node):
    if not isinstance(node, ast.ClassDef):
        return []
    return [each for each in node.body if isinstance(each, _FUNCTIONS)]
