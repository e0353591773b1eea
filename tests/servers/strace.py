"""Runs programs under strace, and finds in what it saw where a text was written."""

from __future__ import annotations

import base64
import re
import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

UNPACKED = Path(__file__).parents[2] / "var" / "debian" / "strace"
PATIENCE = 60.0  # seconds for the last lines to come
ROOM = 65536  # octets shown of each text; what is longer counts as not seen

# What brings octets or names out of a process's memory: by a descriptor, or by a name.
BY_DESCRIPTOR = frozenset(
    {"write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg", "fsetxattr"}
)
BY_NAME = frozenset(
    {"open", "openat", "openat2", "creat", "mkdir", "mkdirat", "mknod", "mknodat", "symlink", "symlinkat"}
    | {"rename", "renameat", "renameat2", "link", "linkat", "setxattr", "lsetxattr", "memfd_create"}
)
# What does so without showing them, and which of its descriptors gets them; mmap where shared and writable.
UNSEEN = {"mmap": 0, "sendfile": 0, "vmsplice": 0, "copy_file_range": 1, "splice": 1, "tee": 1}
NEVER = frozenset({"process_vm_writev"})  # into another process's memory
# It would do all of this unseen, so the kernel seems not to have it. libuv, which tells epoll of descriptors
# by it, goes on without; for files it would ask for a ring with a thread in the kernel, and that counts.
RING = "io_uring_setup"
CALLS = sorted(BY_DESCRIPTOR | BY_NAME | UNSEEN.keys() | NEVER | {RING})

LINE = re.compile(rb"(?:\d+ +)?(\w+)\((.*)", re.DOTALL)
DESCRIPTOR = re.compile(rb"\b\d+<((?:->|[^<>])*)>")
TEXT = re.compile(rb'"((?:\\x[0-9a-f]{2})*)"')
CUT = re.compile(rb'"\.\.\.')


@dataclass(frozen=True, slots=True)
class Written:
    """A call that brought the text out of memory, or may have, and where to: a path or a socket's ends."""

    call: str
    target: str


class Trace:
    """What the programs that are started through it do, with all their threads and children.

    It ends when they do; read it then.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._file.touch()

    def runner(self, program: Path | None = None) -> Path:
        """Return a program that runs its arguments, or another program with them, as if it were not there."""
        known = shutil.which("strace")
        tracer = Path(known) if known is not None else UNPACKED / "usr/bin/strace"
        assert tracer.exists(), "no strace: `make test` or `tests/unpack strace` gets one"
        libraries = ":".join({str(path.parent) for path in UNPACKED.glob("usr/lib/**/*.so.*")})
        calls = f"-e trace={','.join(CALLS)} -e inject={RING}:error=ENOSYS"
        options = f"-D -f --seccomp-bpf -yy -v -xx -s {ROOM} -o '{self._file}' {calls}"
        script = self._file.with_suffix(".sh")
        script.write_text(
            "#!/bin/sh\n"
            f"LD_LIBRARY_PATH='{libraries}' exec '{tracer}' -E \"LD_LIBRARY_PATH=$LD_LIBRARY_PATH\" "
            f'{options} {program or ""} "$@"\n'
        )
        script.chmod(0o755)
        return script

    def ended(self, pid: int) -> bytes:
        """Wait for the end of a process; return how it ended, in strace's words."""
        end = time.monotonic() + PATIENCE
        words = re.compile(rb"^%d +\+\+\+ (.*) \+\+\+$" % pid, re.MULTILINE)
        while (found := words.search(self._file.read_bytes())) is None:
            assert time.monotonic() < end, f"strace does not tell the end of process {pid}"
            time.sleep(0.02)
        return found[1]

    @property
    def size(self) -> int:
        """How much there is to read so far."""
        return self._file.stat().st_size

    def shows(self, needle: bytes, *, since: int) -> bool:
        """Tell whether a call had a text in it, after an earlier size."""
        with self._file.open("rb") as file:
            file.seek(since)
            return _escaped(needle) in file.read()

    def written(self, needles: Collection[bytes]) -> Iterator[Written]:
        """Yield each call that wrote one of the needles, or of which strace cannot say that it did not."""
        shown = [_escaped(one) for one in needles]
        with self._file.open("rb") as lines:
            for line in lines:
                if (match := LINE.match(line)) is not None:
                    yield from _judge(match[1].decode(), match[2], shown)


def needles(*texts: bytes) -> frozenset[bytes]:
    """Return the forms in which texts may be written: as they are, in UTF-16, and in base64."""
    found: set[bytes] = set()
    for text in texts:
        found |= {text, b"".join(bytes((octet, 0)) for octet in text)}
        for before in range(3):  # octets that come before it in a group of three
            whole = base64.b64encode(bytes(before) + text)
            # Without what depends on its neighbours.
            found.add(whole[(0, 2, 3)[before] : len(whole) - (4 if (before + len(text)) % 3 else 0)])
    return frozenset(found)


def _judge(call: str, rest: bytes, shown: Sequence[bytes]) -> Iterator[Written]:
    targets = [_plain(one) for one in DESCRIPTOR.findall(rest)]
    if call in NEVER or (call == RING and b"IORING_SETUP_SQPOLL" in rest):
        yield Written(call, "")
    elif call in UNSEEN:
        if call != "mmap" or (b"PROT_WRITE" in rest and b"MAP_SHARED" in rest and targets):
            yield Written(call, targets[UNSEEN[call]])
    elif any(one in rest for one in shown) or CUT.search(rest):
        names = [_plain(one) for one in TEXT.findall(rest)]
        yield Written(call, names[0 if "xattr" in call else -1] if call in BY_NAME else targets[0])


def _escaped(text: bytes) -> bytes:
    return b"".join(b"\\x%02x" % octet for octet in text)


def _plain(shown: bytes) -> str:
    """Return a descriptor's target, or a text, without escapes."""
    return re.sub(rb"\\x([0-9a-f]{2})", lambda one: bytes.fromhex(one[1].decode()), shown).decode(
        errors="replace"
    )
