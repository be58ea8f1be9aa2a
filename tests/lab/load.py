"""Many clients of the REST API at once, in one process: writers that count in records and add and
release addresses, readers that page, look and follow. Run as a program, with a JSON object on
standard input that says where, who and how long; prints what was acknowledged and what was wrong.
"""

import asyncio
import json
import random
import ssl
import sys
import time
from collections import Counter
from urllib.parse import quote

DOMAIN = "load.example"
KEPT = 150  # addresses that nobody touches
COUNTERS = 6  # of each kind
DIGITS = 24  # letters of a counting address whose case is a binary digit
PAGE = 7  # records a pager asks for at once
LIMIT_S = 120  # of one answer


def kept(number):
    return f"keep-{number:03d}@{DOMAIN}"


def counting_peer(number):
    return f"count-{number}.example"


def counting_address(number):
    return f"count-{number}-{'x' * DIGITS}@{DOMAIN}"


def value_to_display(number, value):
    """The same address, written so that its letters tell a number."""
    digits = "".join("X" if value >> bit & 1 else "x" for bit in range(DIGITS))
    return f"count-{number}-{digits}@{DOMAIN}"


def display_to_value(display):
    digits = display.partition("@")[0].rpartition("-")[2]
    return sum(1 << bit for bit, digit in enumerate(digits) if digit == "X")


class Wrong(Exception):
    """An answer that must not be."""


class Connection:
    """One connection to the API, kept open. `where` names a socket, or address, port and CA."""

    def __init__(self, where, statuses):
        self.where = where
        self.statuses = statuses
        self.reader = self.writer = None

    async def open(self):
        if "socket" in self.where:
            streams = await asyncio.open_unix_connection(self.where["socket"])
        else:
            context = ssl.create_default_context(cafile=self.where["anchors"])
            context.check_hostname = False
            streams = await asyncio.open_connection(self.where["address"], self.where["port"],
                                                    ssl=context)
        self.reader, self.writer = streams
        return self

    async def close(self):
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except (OSError, ssl.SSLError):
            pass

    async def send(self, method, path, body=None, **headers):
        lines = [f"{method} {path} HTTP/1.1", "Host: load"]
        if "token" in self.where:
            lines.append(f"Authorization: Bearer {self.where['token']}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        text = b"" if body is None else json.dumps(body).encode()
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(text)}"]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + text)
        await self.writer.drain()
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        status = int(head[0].split()[1])
        self.statuses[status] += 1
        return status, dict(line.lower().split(": ", 1) for line in head[1:-2])

    async def ask(self, method, path, body=None, **headers):
        return await asyncio.wait_for(self._ask(method, path, body, **headers), LIMIT_S)

    async def _ask(self, method, path, body=None, **headers):
        status, told = await self.send(method, path, body, **headers)
        text = await self.reader.readexactly(int(told.get("content-length", 0)))
        return status, told.get("etag"), json.loads(text) if text else None

    async def done(self, status, method, path, body=None, **headers):
        found, etag, answer = await self.ask(method, path, body, **headers)
        if found != status:
            raise Wrong(f"{method} {path}: {found} {answer}")
        return etag, answer

    async def chunk(self):
        """The next piece of an answer without end; None at its end."""
        size = int((await self.reader.readuntil(b"\r\n")).strip(), 16)
        data = await self.reader.readexactly(size + 2)
        return data[:-2] if size else None


class Load:
    """All clients of this process."""

    def __init__(self, told):
        self.told = told
        self.until = time.monotonic() + told["seconds"]
        self.statuses = Counter()
        self.increments = Counter()  # acknowledged, of each counter
        self.changes = []  # acknowledged: [sequence or None, operation, key]
        self.work = Counter()  # of each client: how often it came through
        self.wrong = []
        self.latest = {}  # versions that were seen of each counter

    def over(self):
        return time.monotonic() >= self.until

    def connection(self, number):
        places = self.told["places"]
        return Connection(places[number % len(places)], self.statuses)

    async def client(self, name, number, act):
        """One client, from its connection to its end."""
        self.work[name] = 0
        try:
            connection = await self.connection(number).open()
            try:
                while not self.over():
                    await act(connection, number)
                    self.work[name] += 1
            finally:
                await connection.close()
        except Exception as error:  # pylint: disable=broad-except
            self.wrong.append(f"{name}: {type(error).__name__}: {error}")

    # -- writers ----------------------------------------------------------------------------------

    async def write(self, connection, number):
        if random.random() < 0.4:
            await self.come_and_go(connection, number)
        elif random.random() < 0.5:
            await self.count_peer(connection, random.randrange(COUNTERS))
        else:
            await self.count_address(connection, random.randrange(COUNTERS))

    async def count_peer(self, connection, which):
        key = counting_peer(which)

        def body(record):
            return {"tariff": str(int(record["tariff"]) + 1)}
        await self.count(connection, "PUT", "/v1/peers/" + key, "peer_put", key, body)

    async def count_address(self, connection, which):
        key = counting_address(which)

        def body(record):
            return {"display": value_to_display(which, display_to_value(record["display"]) + 1)}
        await self.count(connection, "PATCH", "/v1/addresses/" + quote(key), "address_put", key,
                         body)

    async def count(self, connection, method, path, what, key, body):
        """Adds one, however often others are faster."""
        while True:
            etag, record = await connection.done(200, "GET", path)
            wanted = body(record)
            status, etag, answer = await connection.ask(method, path, wanted, If_Match=etag)
            if status == 412:
                continue
            if status != 200 or any(answer[name] != value for name, value in wanted.items()):
                raise Wrong(f"{method} {path}: {status} {answer}")
            self.increments[key] += 1
            self.changes.append([answer["version"], what, key])
            return

    async def come_and_go(self, connection, number):
        """An address is added by a request that is sent twice, also at once, and released."""
        address = f"w{number}-{self.work[f'writer {number}']}@{DOMAIN}"
        ask = ("POST", "/v1/addresses", {"address": address, "owner": f"w{number}"})
        key = f"key {address}"
        if random.random() < 0.3:
            other = await self.connection(number).open()
            try:
                (etag, record), (_, again) = await asyncio.gather(
                    connection.done(201, *ask, Idempotency_Key=key),
                    other.done(201, *ask, Idempotency_Key=key))
            finally:
                await other.close()
        else:
            etag, record = await connection.done(201, *ask, Idempotency_Key=key)
            _, again = await connection.done(201, *ask, Idempotency_Key=key)
        if record != again or etag != f'"{record["version"]}"':
            raise Wrong(f"{address}: {record} became {again}, {etag}")
        self.changes.append([record["version"], "address_add", address])
        await connection.done(204, "DELETE", "/v1/addresses/" + quote(address), If_Match=etag)
        self.changes.append([None, "address_release", address])

    # -- readers ----------------------------------------------------------------------------------

    async def page(self, connection, _number):
        """Once through the list: what is there all the time is there once."""
        seen, cursor = [], ""
        while cursor is not None:
            more = f"&cursor={quote(cursor)}" if cursor else ""
            _, page = await connection.done(
                200, "GET", f"/v1/addresses?domain={DOMAIN}&limit={PAGE}{more}")
            if len(page["addresses"]) > PAGE:
                raise Wrong(f"a page of {len(page['addresses'])}")
            seen += [record["address"] for record in page["addresses"]]
            cursor = page["next"]
        expected = {kept(number) for number in range(KEPT)}
        expected |= {counting_address(number) for number in range(COUNTERS)}
        if len(seen) != len(set(seen)) or seen != sorted(seen) or not expected <= set(seen):
            raise Wrong(f"paging: missing {sorted(expected - set(seen))[:5]}, "
                        f"{len(seen) - len(set(seen))} twice")

    async def look(self, connection, number):
        """A counter never goes back, and its ETag is its version."""
        for which in range(COUNTERS):
            for path in ("/v1/peers/" + counting_peer(which),
                         "/v1/addresses/" + quote(counting_address(which))):
                etag, record = await connection.done(200, "GET", path)
                value = int(record["tariff"]) if "tariff" in record \
                    else display_to_value(record["display"])
                state = (record["version"], value)
                if etag != f'"{state[0]}"' or state < self.latest.get((number, path), (0, 0)):
                    raise Wrong(f"{path}: {state} with {etag} after others")
                self.latest[number, path] = state

    async def read_journal(self, connection, number):
        """From where it was to the end: no gap."""
        first = self.latest.get(number, self.told["sequence"]) + 1
        if first > self.told["sequence"] + 1:
            first -= 1  # there is one at least
        _, page = await connection.done(200, "GET", f"/v1/journal?from={first}&limit=200")
        found = [entry["sequence"] for entry in page["entries"]]
        if found != list(range(first, first + len(found))):
            raise Wrong(f"the journal from {first}: {found}")
        self.latest[number] = found[-1] if found else first - 1

    async def follow(self, connection, number):
        """Hears some events, hangs up and comes back: nothing is missed, nothing comes twice."""
        last = self.latest.get(number, self.told["sequence"])
        stream = await self.connection(number).open()
        try:
            status, _ = await stream.send("GET", "/v1/journal/events", Last_Event_ID=last)
            if status != 200:
                raise Wrong(f"events after {last}: {status}")
            for _ in range(random.randrange(1, 400)):
                if self.over():
                    break
                chunk = await asyncio.wait_for(stream.chunk(), LIMIT_S)
                if chunk is None:
                    raise Wrong(f"the events after {last} ended")
                for line in chunk.decode().split("\n"):
                    if line.startswith("id: "):
                        last += 1
                        if line != f"id: {last}":
                            raise Wrong(f"{line} came in place of {last}")
        finally:
            await stream.close()
            self.latest[number] = last
        await connection.done(200, "GET", "/healthz")

    async def run(self):
        readers = [self.page, self.look, self.read_journal, self.look, self.page, self.look,
                   self.follow, self.page]
        clients = [self.client(f"writer {number}", number, self.write)
                   for number in self.told["writers"]]
        clients += [self.client(f"reader {number}", number,
                                readers[number // len(self.told["places"]) % len(readers)])
                    for number in self.told["readers"]]
        await asyncio.gather(*clients)
        return {"statuses": self.statuses, "increments": self.increments,
                "changes": self.changes, "work": self.work, "wrong": self.wrong}


def main():
    told = json.load(sys.stdin)
    random.seed(told["seed"])
    print(json.dumps(asyncio.run(Load(told).run())))


if __name__ == "__main__":
    main()
