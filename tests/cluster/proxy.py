"""A proxy for bytes: each connection goes to the next of several servers, or past one that is not
there. It can fail and stall."""

import asyncio
import contextlib
import threading
from collections import Counter


class Proxy:
    """Listens on a free port of the loopback, in a thread of its own."""

    def __init__(self, *targets):
        self.targets, self.turn, self.taken = targets, 0, Counter()
        self.is_failing, self.open, self.bytes = False, set(), Counter()
        self.loop = asyncio.new_event_loop()
        started = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(started,), daemon=True)
        self.thread.start()
        started.wait()
        self.url = f"http://127.0.0.1:{self.port}"

    def run(self, started):
        asyncio.set_event_loop(self.loop)
        self.flowing = asyncio.Event()
        self.flowing.set()
        listening = asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=200)
        server = self.loop.run_until_complete(listening)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self.loop.run_forever()

    # -- from other threads -----------------------------------------------------------------------

    def fail(self):
        """Cuts off who is connected, and whoever comes."""
        self.call(self.cut_off)

    def stall(self):
        """Takes and passes on nothing any more, and hangs up on nobody."""
        self.call(self.flowing.clear)

    def recover(self):
        self.is_failing = False
        self.call(self.flowing.set)

    def call(self, function):
        self.loop.call_soon_threadsafe(function)

    # -- in its own -------------------------------------------------------------------------------

    def cut_off(self):
        self.is_failing = True
        for writer in self.open:
            writer.transport.abort()

    async def serve(self, reader, writer):
        far = None
        try:
            if self.is_failing:
                return writer.transport.abort()
            far = await self.connect()
            if far is None:
                return writer.transport.abort()
            self.open |= {writer, far[1]}
            await asyncio.gather(self.pump(reader, far[1], "asked"), self.pump(far[0], writer, "answered"))
        except OSError:
            # Whoever is cut off on one side is on the other, too.
            writer.transport.abort()
            if far:
                far[1].transport.abort()
        finally:
            self.open -= {writer, far and far[1]}
            for each in filter(None, (writer, far and far[1])):
                each.close()

    async def connect(self):
        """To the next server that is there."""
        for _ in self.targets:
            self.turn = (self.turn + 1) % len(self.targets)
            target = self.targets[self.turn]
            with contextlib.suppress(OSError):
                far = await asyncio.open_connection("127.0.0.1", target)
                self.taken[target] += 1
                return far
        return None

    async def pump(self, reader, writer, what):
        while data := await reader.read(1 << 16):
            self.bytes[what] += len(data)
            await self.flowing.wait()
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()
