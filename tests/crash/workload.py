"""What a client does to a server until that is gone: a random choice of everything, which it puts
down in what it expects."""

import uuid

from client import Cut, here
from expected import ABSENT, EMPTY, Copy, Entity, File, Part, Session
from harness import sha256

# Nobody has more under way.
SESSIONS = 3


class Worker:
    """One of several clients at once. Nobody else touches what it expects."""

    # Around what is stored inline, one batch of writes, and several of them.
    SIZES = (0, 1, 4_000, 16_384, 16_385, 60_000, 262_145, 700_000, 2_500_000)
    WEIGHTS = (1, 1, 4, 2, 2, 4, 2, 2, 1)
    # Nobody keeps more files than this, so that a long run needs no more disk than a short one.
    FILES = 40

    def __init__(self, number, expected):
        self.number, self.expected, self.made = number, expected, 0

    def run(self, random, server, client, until):
        """Works until somebody says so or the server is gone."""
        self.random, self.server, self.client = random, server, client
        while not until():
            try:
                self.choose()()
            except Cut:
                self.expected.counts["requests cut off"] += 1
                return

    def choose(self):
        mine = self.expected
        if len(mine.files) > self.FILES:
            return self.delete
        choices = [self.upload] * 6 + [self.make] * 2 + [self.begin] * 2 + [self.begin_parts] * 2
        choices += [self.overwrite] * 2 + [self.delete] * 3 + [self.copy] + [self.entity] * 2
        choices += [self.proceed] * 8 + [self.read]
        return self.random.choice(choices)

    def content(self):
        [size] = self.random.choices(self.SIZES, self.WEIGHTS)
        return self.random.randbytes(size)

    def name(self):
        self.made += 1
        return f"{self.number}-{self.made}.bin"

    def file(self, by, name):
        file = File(by, name)
        self.expected.files.append(file)
        return file

    def settled(self, *needed):
        """A file whose content is sure, and of which these are known."""
        fits = [
            file
            for file in self.expected.files
            if file.digest and all(getattr(file, it) is not None for it in needed)
        ]
        return self.random.choice(fits) if fits else None

    # -- files ------------------------------------------------------------------------------------

    def upload(self):
        dialect, content = self.random.choice(("jea", "molgenis", "jmix")), self.content()
        name = self.name()
        file = self.file(dialect, None if dialect == "jea" else name)
        with file.becoming(sha256(content)):
            file.id = self.client.upload(dialect, name, content)

    def make(self):
        content = self.content()
        file = self.file("cdf", self.name())
        with file.becoming(EMPTY):
            file.number, url = self.client.make(file.name)
        with file.becoming(sha256(content)):
            self.client.put(url, content)

    def overwrite(self):
        if file := self.settled("number"):
            content = self.content()
            url = self.client.upload_url(file.number)
            with file.becoming(sha256(content)):
                self.client.put(url, content)

    def copy(self):
        if file := self.settled("id", "name"):
            copy = Copy(str(uuid.UUID(bytes=self.random.randbytes(16))), file.name)
            self.expected.copies.append(copy)
            with copy.becoming(file.digest):
                self.client.copy(file.id, copy.record)

    def delete(self):
        if file := self.settled():
            if any(session.file is file for session in self.expected.sessions):
                return
            dialects = ["cdf"] if file.number is not None else []
            dialects += ["jea", "molgenis", "idempiere"] if file.id else []
            with file.becoming(ABSENT):
                self.client.delete(self.random.choice(dialects), file.id, file.number)

    def read(self):
        if file := self.settled("id"):
            found = self.client.digest("jea", file.id, None, None)
            assert found == file.digest, f"{file} was {found}"

    # -- entities ---------------------------------------------------------------------------------

    def entity(self):
        name = self.name()
        settled = [it for it in self.expected.entities if len(it.may_be) == 1]
        if len(settled) < 10:
            entity = Entity(str(uuid.UUID(bytes=self.random.randbytes(16))))
            self.expected.entities.append(entity)
            with entity.becoming(name):
                self.client.make_entity(entity.id, name)
            return
        entity = self.random.choice(settled)
        if entity.is_surely(ABSENT):
            return
        if self.random.random() < 0.5:
            with entity.becoming(name):
                self.client.rename_entity(entity.id, name)
        else:
            with entity.becoming(ABSENT):
                self.client.delete_entity(entity.id)

    # -- in parts ---------------------------------------------------------------------------------

    def pieces(self):
        sizes = (1, 4_000, 16_385, 70_000, 300_000)
        count = self.random.randint(1, 6)
        return [self.random.randbytes(self.random.choice(sizes)) for _ in range(count)]

    def begin(self):
        if len(self.expected.sessions) >= SESSIONS:
            return self.proceed()
        pieces = self.pieces()
        whole = b"".join(pieces)
        name, digest = self.name(), sha256(whole)
        id = self.client.begin(name, len(whole), digest)
        # The session's id is the file's.
        file = self.file("idempiere", name)
        file.id = uuid.UUID(id).hex
        parts = [Part(piece) for piece in pieces]
        self.expected.sessions.append(Session("idempiere", id, file, digest, parts))

    def begin_parts(self):
        if len(self.expected.sessions) >= SESSIONS:
            return self.proceed()
        pieces = self.pieces()
        busy = {session.file.number for session in self.expected.sessions}
        file = self.settled("number") if self.random.random() < 0.3 else None
        if file is None or file.number in busy:
            file = self.file("cdf", self.name())
            with file.becoming(EMPTY):
                file.number, id, urls = self.client.begin_parts(file.name, None, len(pieces))
        else:
            _, id, urls = self.client.begin_parts(None, file.number, len(pieces))
        digest, parts = sha256(b"".join(pieces)), [Part(piece) for piece in pieces]
        self.expected.sessions.append(Session("cdf", id, file, digest, parts, urls))

    def proceed(self):
        """Sends one more part, or does what ends a session."""
        if not self.expected.sessions:
            return
        session = self.random.choice(self.expected.sessions)
        missing = [n for n, it in enumerate(session.parts) if not it.is_surely(len(it.content))]
        if session.by == "idempiere" and len(missing) > 1 and self.random.random() < 0.05:
            session.canceled = True
            self.client.cancel(session.id)
            self.end(session)
        elif session.by == "cdf":
            self.send_part(session, missing) if missing else self.complete_parts(session)
        else:
            # When all are there and the session is not complete, the last answer was missed.
            self.send_chunk(session, missing or [len(session.parts) - 1])

    def finish(self, session):
        while session in self.expected.sessions:
            missing = [n for n, it in enumerate(session.parts) if not it.is_surely(len(it.content))]
            if session.by == "idempiere":
                self.send_chunk(session, missing or [0])
            elif missing:
                self.send_part(session, missing)
            else:
                self.complete_parts(session)

    def end(self, session):
        self.expected.sessions.remove(session)

    def send_part(self, session, missing):
        number = self.random.choice(missing)
        part, url = session.parts[number], here(self.server, session.urls[number])
        with part.becoming(len(part.content)):
            self.client.put(url, part.content)

    def complete_parts(self, session):
        with session.file.becoming(session.digest):
            self.client.complete_parts(session.file.number, session.id)
        self.end(session)

    def send_chunk(self, session, missing):
        # A wrong one is put right before another is sent, so that it is never the last.
        wrong = [n for n in missing if not session.parts[n].is_surely(ABSENT)]
        number = self.random.choice(wrong or missing)
        part, total = session.parts[number], len(session.parts)
        if len(missing) > 1 and not wrong and self.random.random() < 0.2:
            wrong = part.content + b"wrong"
            with part.becoming(len(wrong)):
                self.client.send_chunk(session.id, number + 1, total, wrong)
            return
        if len(missing) > 1:
            with part.becoming(len(part.content)):
                assert not self.client.send_chunk(session.id, number + 1, total, part.content)
            return
        with part.becoming(len(part.content)), session.file.becoming(session.digest):
            assert self.client.send_chunk(session.id, number + 1, total, part.content)
        self.end(session)
