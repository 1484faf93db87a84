"""The listening sockets: bound here, so that they can be handed over; and the URL under which they are reached."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator
from typing import Any

from hotserve.errors import HotserveError


class CannotListen(HotserveError):
    """`127.0.0.1:8000` is in use: stop what listens there, or choose another with --port (0 takes a free one)."""


def bind(options: dict[str, Any]) -> list[socket.socket]:
    """Sockets bound as uvicorn would for the options --fd, --uds, or --host and --port. Raises CannotListen."""
    if options.get("fd") is not None:
        return [_from_fd(int(options["fd"]))]
    if options.get("uds") is not None:
        return [_bind_unix(os.fspath(options["uds"]))]
    return _bind_tcp(options.get("host", "127.0.0.1") or "", int(options.get("port", 8000)))


def url_of(sockets: list[socket.socket], options: dict[str, Any]) -> str:
    """Where a person finds the server: "http://127.0.0.1:8000", "unix:/run/app.sock"."""
    name = sockets[0].getsockname()
    if not isinstance(name, tuple):
        return f"unix:{name.decode(errors='replace') if isinstance(name, bytes) else name}"
    secure = options.get("ssl_certfile") or options.get("ssl_keyfile")
    host = str(options.get("host") or "0.0.0.0") if options.get("fd") is None else str(name[0])
    everywhere = host in ("0.0.0.0", "::")
    if everywhere:
        # No browser goes to 0.0.0.0; the loopback address of the same family is the way in from here.
        host = "[::1]" if host == "::" else "127.0.0.1"
    elif ":" in host:
        host = f"[{host}]"
    url = f"{'https' if secure else 'http'}://{host}:{name[1]}"
    return f"{url} (on every interface)" if everywhere else url


def remove_unix_socket(options: dict[str, Any]) -> None:
    """Remove the file of --uds at the end, as uvicorn does."""
    if options.get("uds") is not None and options.get("fd") is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(options["uds"])


def _from_fd(fd: int) -> socket.socket:
    try:
        return socket.socket(fileno=os.dup(fd))
    except OSError as exc:
        raise CannotListen(f"--fd {fd} is not an open socket ({exc.strerror}).") from exc


def _bind_unix(path: str) -> socket.socket:
    permissions = 0o666
    with contextlib.suppress(FileNotFoundError):
        mode = os.stat(path).st_mode
        if not stat.S_ISSOCK(mode):
            raise CannotListen(f"--uds {path} exists and is not a socket; choose another path.")
        if _somebody_listens(path):
            raise CannotListen(f"--uds {path} is in use; stop what listens there, or choose another path.")
        permissions = stat.S_IMODE(mode)
        os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        os.chmod(path, permissions)
    except OSError as exc:
        sock.close()
        raise CannotListen(f"cannot listen on --uds {path}: {exc.strerror or exc}.") from exc
    return sock


def _somebody_listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except OSError:
            return False
        return True


def _bind_tcp(host: str, port: int) -> list[socket.socket]:
    """A socket per address of `host` ("localhost" has two), all on one port, as asyncio's create_server does."""
    sockets: list[socket.socket] = []
    failure: OSError | None = None
    for family, address in _addresses(host, port):
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as exc:
            failure = exc
            continue
        try:
            _bind_one(sock, family, (address[0], sockets[0].getsockname()[1], *address[2:]) if sockets else address)
        except OSError as exc:
            sock.close()
            # This machine has no such address (::1 where IPv6 is off); the other ones may do.
            if exc.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                _close(sockets)
                raise CannotListen(_why(exc, host, port)) from exc
            failure = exc
        else:
            sockets.append(sock)
    if not sockets:
        raise CannotListen(_why(failure or OSError(), host, port)) from failure
    return sockets


def _bind_one(sock: socket.socket, family: int, address: tuple[Any, ...]) -> None:
    if os.name == "posix":
        # On Windows this option would let two servers share the port.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind(address)


def _addresses(host: str, port: int) -> Iterator[tuple[int, tuple[Any, ...]]]:
    try:
        # An empty host is every interface. The flag makes getaddrinfo answer with 0.0.0.0 and :: for it.
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as exc:
        raise CannotListen(f"--host {host} is no address of this machine; try 127.0.0.1 or 0.0.0.0.") from exc
    yield from dict.fromkeys((item[0], item[4]) for item in found)


def _close(sockets: list[socket.socket]) -> None:
    for sock in sockets:
        sock.close()


def _why(exc: OSError, host: str, port: int) -> str:
    where = f"port {port} on {host or 'every interface'}"
    if exc.errno == errno.EADDRINUSE:
        return f"{where} is in use; stop what listens there, or choose another with --port (0 takes a free one)."
    if exc.errno in (errno.EACCES, errno.EPERM):
        return f"{where} is not permitted ({exc.strerror}); choose one above 1023 with --port."
    if exc.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return f"--host {host} is no address of this machine; try 127.0.0.1 or 0.0.0.0."
    return f"cannot listen on {where}: {exc.strerror or exc}."
