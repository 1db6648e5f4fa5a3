"""What must be there after a crash, as far as a client can know.

Everything that is stored is in one of the states it may be in. A request adds the state that it
leads to when it is sent, and that state is the only one once it is acknowledged. A request that is
cut off leaves both."""

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field

ABSENT = "absent"
# A file whose content is still to come.
EMPTY = "empty"


@dataclass
class Stored:
    may_be: set = field(default_factory=lambda: {ABSENT}, kw_only=True)

    @contextmanager
    def becoming(self, state):
        self.may_be.add(state)
        yield
        self.may_be = {state}

    def is_surely(self, state):
        return self.may_be == {state}

    def found(self, state):
        """Settles what it is."""
        assert state in self.may_be, f"{self} is {state}"
        self.may_be = {state}


@dataclass
class File(Stored):
    """Its states are the SHA-256 of its content, and those above."""

    by: str
    # JEA drops it.
    name: str | None
    # 32 hex digits, and the number that CDF knows it by; as far as a client was told.
    id: str | None = None
    number: int | None = None

    @property
    def digest(self):
        """That of its content, if it is sure that there is some."""
        [state, *others] = self.may_be
        return None if others or state in (ABSENT, EMPTY) else state


@dataclass
class Copy(Stored):
    """A file that was copied to a record, which outlives it."""

    record: str
    name: str


@dataclass
class Entity(Stored):
    """One of Jmix; its states are its names."""

    id: str


@dataclass
class Part(Stored):
    """Of a session; its states are its sizes."""

    content: bytes = field(repr=False)


@dataclass
class Session:
    """An upload in parts, which becomes the content of a file."""

    by: str
    id: str
    file: File
    digest: str
    parts: list[Part]
    urls: list[str] = field(default_factory=list)
    canceled: bool = False


@dataclass
class Expected:
    files: list[File] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    entities: list[Entity] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    # What was done and checked, for the report.
    counts: Counter = field(default_factory=Counter)
