"""The check of types and shapes at every call, in a shorter way than jaxtyping's own.

jaxtyping binds the arguments of each call by `inspect` and has beartype look at them twice, which
takes a sixth of the time of all tests. Here beartype looks at them once.
"""

import functools
import inspect
from types import FunctionType
from typing import Any

import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping import config, jaxtyped

_call = jaxtyped("context")  # in which the sizes of one call are compared with each other
_typed = beartype(conf=BeartypeConf(violation_type=jaxtyping.TypeCheckError))


def install():
    """Let what `--jaxtyping-packages` imports be decorated by `checked`."""
    jaxtyping.jaxtyped = lambda *, typechecker: checked


def checked(what):
    """Decorate a function, or the constructor of a dataclass."""
    if inspect.isclass(what):
        if "__dataclass_fields__" in vars(what):
            what.__init__ = checked(what.__init__)
        return what
    if isinstance(what, (classmethod, staticmethod)):
        return type(what)(checked(what.__func__))
    if isinstance(what, property):
        return property(*(each and checked(each) for each in (what.fget, what.fset, what.fdel)))
    if inspect.isgeneratorfunction(what):  # beartype alone looks at arguments at the first item
        return jaxtyped(what, typechecker=beartype)
    typed = _typed(_unquoted(what))

    @functools.wraps(what)
    def call(*args, **kwargs):
        __tracebackhide__ = True
        if config.jaxtyping_disable:
            return what(*args, **kwargs)
        with _call:
            return typed(*args, **kwargs)

    return call


def _unquoted(function):
    """Return a copy with no annotation in quotes: Any where what it names is not there yet."""
    copied = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__,
        function.__closure__,
    )  # fmt: skip
    functools.update_wrapper(copied, function)
    del copied.__wrapped__
    copied.__kwdefaults__ = function.__kwdefaults__
    copied.__annotations__ = {
        name: _named(each, function.__globals__) if isinstance(each, str) else each
        for name, each in function.__annotations__.items()
    }
    return copied


def _named(annotation, names):
    try:
        return eval(annotation, names)
    except (NameError, AttributeError):
        return Any
