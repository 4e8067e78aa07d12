"""The stop notice: answers at once, whoever else calls and whatever they say."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from simops_operator.pod import notice
from simops_operator.pod.notice import MAX_CONNECTIONS, Listener, is_local


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    listener = Listener(0, "/stop/6f0c", reader)
    stopping = threading.Event()

    def loop() -> None:
        while not stopping.is_set():
            listener.serve(None)

    thread = threading.Thread(target=loop)
    thread.start()
    yield listener
    stopping.set()
    os.write(writer, b"\0")
    thread.join(10)
    listener.close()
    os.close(reader)
    os.close(writer)
    assert not thread.is_alive()


def call(listener: Listener, request: bytes) -> bytes:
    with connect(listener) as client:
        client.sendall(request)
        return b"".join(iter(lambda: client.recv(4096), b""))


def connect(listener: Listener) -> socket.socket:
    assert listener._server is not None
    return socket.create_connection(("127.0.0.1", listener._server.getsockname()[1]), timeout=10)


def send_until_refused(client: socket.socket) -> None:
    for _times in range(10_000):
        client.sendall(os.urandom(4096).replace(b"\r", b""))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_get_stop_is_answered_and_remembered(listener: Listener) -> None:
    assert call(listener, b"GET /stop/6f0c HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert listener.inside_at is not None


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /",
        b"GET /stop",
        b"GET /stop/",
        b"GET /stop/6f0",
        b"GET /stop/6f0c/",
        b"GET /stop/6f0c?x=1",
        b"GET /stop/6f0d",
        b"POST /stop/6f0c",
        b"GET http://x/stop/6f0c",
        b"get /stop/6f0c",
        b"GET /stop/6f0cx",
    ],
)
def test_anything_else_is_not_found_and_stops_nothing(listener: Listener, request_line: bytes) -> None:
    assert call(listener, request_line + b" HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 404 ")
    assert (listener.inside_at, listener.outside_at) == (None, None)


def test_the_first_notice_counts(listener: Listener) -> None:
    call(listener, b"GET /stop/6f0c HTTP/1.1\r\n\r\n")
    first = listener.inside_at
    call(listener, b"GET /stop/6f0c HTTP/1.1\r\n\r\n")
    assert listener.inside_at == first


def test_a_request_that_comes_byte_by_byte_is_understood(listener: Listener) -> None:
    with connect(listener) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"GET /stop/6f0c HTTP/1.1\r\n\r\n":
            client.send(bytes([byte]))
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")


def test_garbage_and_endless_headers_are_hung_up_on(listener: Listener) -> None:
    with connect(listener) as client, pytest.raises(OSError, match=r"reset|Broken"):
        send_until_refused(client)
    assert call(listener, b"GET /stop/6f0c HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_a_caller_that_hangs_up_at_once_does_no_harm(listener: Listener) -> None:
    for _times in range(50):
        client = connect(listener)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
    assert call(listener, b"GET /stop/6f0c HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_many_silent_callers_do_not_keep_the_notice_out(listener: Listener) -> None:
    silent = [connect(listener) for _index in range(3 * MAX_CONNECTIONS)]
    try:
        assert call(listener, b"GET /stop/6f0c HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        assert len(listener._connections) <= MAX_CONNECTIONS
    finally:
        for client in silent:
            client.close()


def test_a_silent_caller_is_hung_up_on_after_a_while(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notice, "SECONDS_PER_CONNECTION", 0.1)
    with connect(listener) as client:
        client.sendall(b"GET /st")
        assert client.recv(10) == b""
    until(lambda: not listener._connections)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::ffff:127.0.0.1"])
def test_loopback_is_inside_the_pod(address: str) -> None:
    assert is_local(address)


@pytest.mark.parametrize("address", ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1"])
def test_an_address_that_is_not_of_this_pod_is_outside(address: str) -> None:
    assert not is_local(address)


def test_a_call_from_outside_is_told_from_one_from_inside(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notice, "is_local", lambda _address: False)
    call(listener, b"GET /stop/6f0c HTTP/1.1\r\n\r\n")
    assert listener.outside_at is not None
    assert listener.inside_at is None


def test_a_port_that_is_taken_is_a_problem_that_is_told_and_not_a_crash() -> None:
    reader, writer = os.pipe()
    with socket.create_server(("0.0.0.0", 0)) as other:
        listener = Listener(other.getsockname()[1], "/stop/6f0c", reader)
        assert "cannot listen" in (listener.problem or "")
        listener.serve(0)
        listener.close()
    os.close(reader)
    os.close(writer)
