"""What happened in this process: kept for the `events` command, which can wait for it."""

import trio


class Journal:
    """The events, oldest first."""

    def __init__(self):
        self._events = []
        self._news = trio.Condition()

    async def record(self, kind, event):
        """Adds an event of this kind."""
        async with self._news:
            self._events.append({**event, "kind": kind})
            self._news.notify_all()

    async def wait(self, kind, count):
        """Waits until there are `count` events of this kind, and returns all of that kind."""
        async with self._news:
            while len(found := [event for event in self._events if event["kind"] == kind]) < count:
                await self._news.wait()
            return found
