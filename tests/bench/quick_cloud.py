"""A cloud that costs next to nothing: it takes in every import, whose job has ended when it is asked about.

It is no stand-in for the service: it remembers names alone, to tell at the end which were imported twice.
`python -m tests.bench.quick_cloud` prints its port; `GET /ledger` counts.
"""

import asyncio
import json
import re
from collections import Counter

NAME = re.compile(rb'"name":"([^"]+)"')
JOB = re.compile(rb"/jobs?/([0-9a-f]{32})")


class Ledger:
    """What was imported."""

    def __init__(self) -> None:
        self.names: Counter[bytes] = Counter()
        self.number = 0

    def answer(self, head: bytes, body: bytes) -> bytes:
        """The body of the answer to a request."""
        if head.startswith(b"POST") and b"quickimport" in head:
            found = NAME.search(body)
            self.names[found[1] if found else b""] += 1
            self.number += 1
            return b'{"job_id":"%032x"}' % self.number
        if (job := JOB.search(head)) is not None:
            return b'{"job_id":"%s","status":"SUCCESS","entities":{"image_id":"%s-0000-4000-8000-%s"}}' % (
                job[1],
                job[1][-8:],
                job[1][-12:],
            )
        if b"/ledger" in head:
            twice = sum(count > 1 for count in self.names.values())
            return json.dumps({"imports": self.number, "images": len(self.names), "twice": twice}).encode()
        if b"/quota" in head:
            return b'{"quotas":{"resources":[{"type":"image","used":0,"quota":10000000}]}}'
        return b'{"images":[]}'


class Connection(asyncio.Protocol):
    """One client; requests come one after the other."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.rest += data
        while (end := self.rest.find(b"\r\n\r\n")) >= 0:
            head = self.rest[:end]
            found = re.search(rb"(?i)content-length: *(\d+)", head)
            length = int(found[1]) if found else 0
            if len(self.rest) < end + 4 + length:
                return
            body, self.rest = self.rest[end + 4 : end + 4 + length], self.rest[end + 4 + length :]
            said = self.ledger.answer(head, body)
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                % (len(said), said)
            )


async def main() -> None:
    """Serve until killed."""
    ledger = Ledger()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(ledger), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
