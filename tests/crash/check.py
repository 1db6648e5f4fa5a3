"""Whether all is there that must be, and nothing else."""

from dataclasses import dataclass

from client import DIALECTS
from expected import ABSENT, EMPTY
from harness import wait_for


def check(stored, client, workers, random):
    """Compares a server that was started again with what its clients were told, and settles what
    they could not know. `stored` finds the rows of all files, past every dialect."""
    expected = [worker.expected for worker in workers]
    rows = {row.id: row for row in stored()}
    listed = client.listed()
    assert listed == {row.number: row.has_content for row in rows.values()}, "a list is not whole"
    for each in expected:
        for session in list(each.sessions):
            check_session(client, each, session)
        for entity in each.entities:
            entity.found(client.entity(entity.id) or ABSENT)
            each.counts["entities checked"] += 1
        for copy in each.copies:
            copy.found(client.attachment(copy.record, copy.name) or ABSENT)
            each.counts["copies checked"] += 1
        each.entities = [it for it in each.entities if not it.is_surely(ABSENT)]
        each.copies = [it for it in each.copies if not it.is_surely(ABSENT)]
    # A session that was completed by looking at it has a file now.
    rows = {row.id: row for row in stored()}
    unknown = dict(rows)
    nameless = []
    for each in expected:
        for file in list(each.files):
            if file.by == "jea" and file.id is None:
                nameless.append((each, file))
                continue
            row = find(file, rows.values())
            if row is not None:
                unknown.pop(row.id, None)
            settle(client, random, each, file, row)
    account_for(client, random, unknown, nameless, expected)


@dataclass
class Row:
    """A file in the database; its id as 32 hex digits."""

    id: str
    number: int
    name: str
    has_content: bool


def find(file, rows):
    """By whatever its client was told. Copies have the names of their sources and come later."""
    if file.id is not None:
        return next((row for row in rows if row.id == file.id), None)
    if file.number is not None:
        return next((row for row in rows if row.number == file.number), None)
    named = sorted((row.number, row) for row in rows if row.name == file.name)
    return named[0][1] if named else None


def settle(client, random, each, file, row):
    if row is None:
        file.found(ABSENT)
        if file.id is not None:
            for dialect in random.sample(("jea", "molgenis", "jmix", "idempiere"), 2):
                if dialect == "idempiere" and is_begun(each, file):
                    continue
                found = client.digest(dialect, file.id, file.number, file.name or "x")
                assert found is None, f"{file} is gone from the list, and there in {dialect}"
        if not is_begun(each, file):
            each.files.remove(file)
            each.counts["deleted files checked"] += 1
        return
    file.id, file.number, name = row.id, row.number, row.name
    if not row.has_content:
        file.found(EMPTY)
        return
    # Through the dialect that took it, and through another.
    for dialect in {file.by, random.choice(DIALECTS)}:
        file.found(client.digest(dialect, file.id, file.number, name))
        each.counts[f"files read through {dialect}"] += 1
    each.counts["files checked"] += 1


def is_begun(each, file):
    return any(session.file is file for session in each.sessions)


def account_for(client, random, unknown, nameless, expected):
    """What nobody knows by id, number or name: copies, and files whose handle was never told."""
    copied = {(it.name, state) for each in expected for it in each.copies for state in it.may_be}
    for row in unknown.values():
        dialect = random.choice(DIALECTS)
        found = client.digest(dialect, row.id, row.number, row.name) if row.has_content else EMPTY
        if (row.name, found) in copied:
            delete_copies(client, random, row, expected)
            continue
        mine = next((it for it in nameless if found in it[1].may_be), None)
        assert mine, f"nobody stored {row.id}, {row.name}, which is {found}"
        nameless.remove(mine)
        file = mine[1]
        file.id, file.number = row.id, row.number
        file.found(found)
    for each, file in nameless:
        file.found(ABSENT)
        each.files.remove(file)


def delete_copies(client, random, row, expected):
    """Now and then one, so that they do not become ever more: it is a file like any other."""
    if random.random() < 0.2:
        client.delete("cdf", row.id, row.number)
        for each in expected:
            for copy in each.copies:
                if copy.name == row.name:
                    copy.may_be.add(ABSENT)
                    copy.found(client.attachment(copy.record, copy.name) or ABSENT)
            each.copies = [it for it in each.copies if not it.is_surely(ABSENT)]


def check_session(client, each, session, is_over=True):
    """The parts that were acknowledged are there; those that were not may be, and may still come unless
    everything that was cut off is over."""
    if session.by == "cdf":
        # It has no status. That its parts are there shows when it is completed without sending
        # them again.
        return
    status = client.upload_status(session.id)
    if status["status"] == "PROCESSING":
        # Its completion was cut off, and looking at it has taken that up again.
        wait_for(lambda: client.upload_status(session.id)["status"] == "COMPLETED", "completion")
        status = client.upload_status(session.id)
    each.counts["sessions checked"] += 1
    if status["status"] == "COMPLETED":
        session.file.found(session.digest)
        each.sessions.remove(session)
        return
    if status["status"] == "CANCELED":
        assert session.canceled, session
        each.sessions.remove(session)
        return
    assert session.id in client.pending_uploads()
    assert not session.canceled or session.digest not in session.file.may_be
    received = {it["chunkOrder"]: it["receivedSize"] for it in status["uploadedChunks"]}
    for number, part in enumerate(session.parts, start=1):
        state = received.get(number, ABSENT)
        assert state in part.may_be, f"part {number} of {session} is {state}"
        if is_over:
            part.found(state)
        each.counts["acknowledged parts checked"] += 1
    if is_over:
        session.canceled = False


def assert_well(server):
    checked = server.command("fsck", "--read-data")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "all is well" in checked.stdout


def assert_nothing_leaked(server):
    """After a sweep for which everything is due: what is stored is what files have."""
    for what, sql in {
        "keys in the ledger": "SELECT 1 FROM ledger",
        "sessions that wait": "SELECT 1 FROM session WHERE state < 2",
        "contents without a file": "SELECT 1 FROM content WHERE id NOT IN "
        "(SELECT content FROM file WHERE content IS NOT NULL)",
        "segments without a content": "SELECT 1 FROM segment WHERE content NOT IN "
        "(SELECT id FROM content)",
        "inline bytes without a segment": "SELECT 1 FROM inline_bytes WHERE id NOT IN "
        "(SELECT inline FROM segment WHERE inline IS NOT NULL)",
        "terms of no file": "SELECT 1 FROM term WHERE (tenant, number) NOT IN "
        "(SELECT tenant, number FROM file)",
    }.items():
        assert not server.query(sql), what
    blobs = {blob.name for blob in server.blobs()}
    keys = {row[0] for row in server.query("SELECT lower(hex(key)) FROM segment WHERE key NOT NULL")}
    assert blobs == keys
    assert not list(server.data.glob("blobs/tmp/*")), "files that were being written"
    return len(blobs)
