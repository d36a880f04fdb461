"""Words that settings and options of commands choose among."""

from typing import Literal

# What to do with ids that a model has never seen: refuse them, leave their scores empty, or fall
# back on popularity.
OnUnknown = Literal["error", "null", "popularity"]

# Which items are ranked and wanted in the test: those of training, all, those that all compared
# models know, or those that training does not know, among themselves.
Catalogue = Literal["known", "all", "common", "new"]

# Of files of other systems, what becomes of test users that some of them lack: an error, a figure
# of 0, or all are compared on the users that every file has.
MissingUsers = Literal["error", "zero", "common"]

# Which users of the test are ranked for: those with training rows, those without, or both.
IncludeUsers = Literal["known", "new", "all"]
Sampler = Literal["auto", "grid", "random", "tpe"]

# What a logged model has of the histories of its users: a copy, where they lie, nothing, or, by
# their size, one of the first two.
LogHistory = Literal["auto", "copy", "refer", "none"]
