"""The stop notice: a listener that answers one path, which has the UID of the run, and nothing else.

kubelet calls it (preStop hook of the simulation) before it stops the simulation. It shares the loop and the thread
with the wait for signals; http.server would cost more CPU to import than the whole start may take. The simulation
shares the Pod's network and may call it too, or hold connections open, or send garbage: nothing here blocks, every
connection is short and the oldest gives way to a new one.

A call from inside the Pod is told from kubelet's by the caller's address: only an address of this Pod can be bound
here.
"""

import errno
import selectors
import socket
import time

MAX_CONNECTIONS = 32
MAX_REQUEST = 4096
SECONDS_PER_CONNECTION = 5.0
_YES = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_NO = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class _Connection:
    """A client that has not said everything yet."""

    def __init__(self, client: socket.socket, address: str) -> None:
        self.socket = client
        self.address = address
        self.request = b""
        self.until = time.monotonic() + SECONDS_PER_CONNECTION


class Listener:
    """Waits for the stop notice and for wake-ups, in one call that never blocks longer than it is told to."""

    def __init__(self, port: int, path: str, wakeup: int) -> None:
        self.outside_at: float | None = None
        """When kubelet, or anybody outside the Pod, said that the simulation is being stopped."""
        self.inside_at: float | None = None
        """When something in the Pod, so the simulation, said it."""
        self._wanted = tuple(f"GET {path} HTTP/1.{minor}\r\n".encode() for minor in (0, 1))
        self._connections: dict[int, _Connection] = {}
        self._wakeup = wakeup
        self._selector = selectors.DefaultSelector()
        self._selector.register(wakeup, selectors.EVENT_READ)
        self.problem: str | None = None
        """Why nobody can call: a simulation may have taken the port before a restarted sidecar. SIGTERM comes still."""
        self._server: socket.socket | None = None
        try:
            self._server = _server(port)
        except OSError as error:
            self.problem = f"cannot listen on port {port}: {error.strerror}"
        else:
            self._server.setblocking(False)
            self._selector.register(self._server, selectors.EVENT_READ)

    def close(self) -> None:
        """Close everything."""
        for connection in list(self._connections.values()):
            self._drop(connection)
        self._selector.close()
        if self._server is not None:
            self._server.close()

    def serve(self, seconds: float | None) -> None:
        """Answer who calls; return after one round of events, at the latest after so many seconds."""
        limits = [connection.until - time.monotonic() for connection in self._connections.values()]
        if seconds is not None:
            limits.append(seconds)
        for key, _events in self._selector.select(max(0.0, min(limits)) if limits else None):
            if key.fd == self._wakeup:
                _drain(self._wakeup)
            elif key.fd in self._connections:
                self._read(self._connections[key.fd])
            elif self._server is not None and key.fd == self._server.fileno():
                self._accept(self._server)
        now = time.monotonic()
        for connection in [c for c in self._connections.values() if c.until <= now]:
            self._drop(connection)

    def _accept(self, server: socket.socket) -> None:
        try:
            client, address = server.accept()
        except OSError:
            return  # It has gone again, or there are no descriptors left: the next round tries again.
        client.setblocking(False)
        if len(self._connections) >= MAX_CONNECTIONS:
            self._drop(next(iter(self._connections.values())))
        self._connections[client.fileno()] = _Connection(client, address[0])
        self._selector.register(client, selectors.EVENT_READ)

    def _read(self, connection: _Connection) -> None:
        try:
            data = connection.socket.recv(MAX_REQUEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        connection.request += data
        if not data or len(connection.request) > MAX_REQUEST:
            self._drop(connection)
        elif b"\r\n\r\n" in connection.request:
            self._answer(connection)

    def _answer(self, connection: _Connection) -> None:
        wanted = connection.request.startswith(self._wanted)
        if wanted and is_local(connection.address):
            self.inside_at = self.inside_at or time.monotonic()
        elif wanted:
            self.outside_at = self.outside_at or time.monotonic()
        try:
            connection.socket.send(_YES if wanted else _NO)
            connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # The caller has gone; what it said counts.
        self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        del self._connections[connection.socket.fileno()]
        self._selector.unregister(connection.socket)
        connection.socket.close()


def is_local(address: str) -> bool:
    """Whether the address belongs to this network namespace: only then can a socket be bound to it."""
    address = address.removeprefix("::ffff:")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            # A link-local address needs a scope to be bound (EINVAL); kubelet does not call from one.
            return error.errno != errno.EADDRNOTAVAIL
    return True


def _server(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise
    return socket.create_server(("0.0.0.0", port), backlog=128)  # noqa: S104 - kubelet calls the Pod's address


def _drain(reader: int) -> None:
    with open(reader, "rb", closefd=False, buffering=0) as pipe:
        while pipe.read(4096):
            pass
