"""`make run`: Tamis at work, with sample messages and a small SMTP server; all files lie below one folder."""

from __future__ import annotations

import argparse
import fcntl
import shlex
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from tamis import address
from tamis.checks import clamd
from tamis.sandbox import processes, report, samples
from tamis.sandbox.processes import CommandFailed, Service
from tamis.sandbox.scanner import PrivateClamd, ScannerFailed

LOCAL_CLAMD = "unix:/run/clamav/clamd.ctl"
SMTP_PORT = 2525
MILTER_PORT = 8891
RELAY_PORT = 10026
WEB_PORT = 8892
USER = "anna@example.org"  # who may sign in to it
OPERATOR = "olga"
PASSWORD = "sieve and flour"  # noqa: S105  # of both, for pages on loopback
SIGNATURES = Path("/var/lib/clamav")  # where freshclam keeps ClamAV's own
SHOWN = "06-spam.eml"
STRANGER = "192.0.2.25"  # all of the sandbox's clients come from there, as if from outside

FILTERS = ("antivirus", "antispam", "graymail")
ACTIONS = ("antispam.action", "graymail.newsletter", "graymail.social", "graymail.list")
ON = tuple(f"{name}=on" for name in FILTERS)
MARKED = tuple(f"{name}=mark" for name in ACTIONS)
ACCOUNTS = {
    "anna@example.org": (*ON, *MARKED),
    "bob@example.org": (*ON, *(f"{name}=file" for name in ACTIONS)),
    "carol@example.org": (*(f"{name}=off" for name in FILTERS), *MARKED),
}
WISHES = """\
anna   all filters on; what they find is marked
bob    all filters on; spam, newsletters, social notices and lists are filed into folders
carol  all filters off"""

CONFIGURATION = """\
# Written by `make run`, and written anew by the next one.
[milter]
listen = "{listen}"
workers = 1

[mail]
domains = ["example.org"]

[store]
url = "sqlite:///{folder}/tamis.db"

[resend]
relay = "{relay}"

[options]
listen = "inet:127.0.0.1:{web}"

[metrics]
file = "{folder}/tamis.prom"
interval = "2s"
{scanner}"""
WITH_SCANNER = '\n[antivirus]\nclamd = "{clamd}"\n'
WITHOUT_SCANNER = '\n[outgoing]\nantivirus = false\n\n[users.defaults]\nantivirus = "off"\n'

LOOK_FURTHER = """\
Look further, in another terminal:
  {tamis} tickets --config {config} --account anna@example.org
  {tamis} account set --config {config} anna@example.org antispam.action=file
  {tamis} explain --config {config} {sample} --to bob@example.org
  ls {mail}/*/new {mail}/*/.*/new
  tail -f {var}/serve.log

Send mail of your own, incoming, or outgoing with any password:
  swaks --server 127.0.0.1:{port} --from you@example.net --to anna@example.org --body 'Hello'
  swaks --server 127.0.0.1:{port} --auth-user anna@example.org --auth-password x \\
        --from anna@example.org --to you@example.net
  {python} -c 'import smtplib; smtplib.SMTP("127.0.0.1", {port}).sendmail(
        "you@example.net", "anna@example.org",
        "From: you@example.net\\nTo: anna@example.org\\nSubject: Hello\\n\\nHow are you?\\n")'

Behind Postfix, main.cf would say (docs/install-postfix.md has the rest):
  smtpd_milters = {listen}
  non_smtpd_milters = {listen}
  milter_default_action = tempfail
  milter_protocol = 6
  milter_content_timeout = 300s
  recipient_delimiter = +
"""


@dataclass(frozen=True, slots=True)
class Options:
    """The command line."""

    var: Path
    samples: Path
    clamd: Path | None
    libraries: Path | None


class Stopped(Exception):
    """SIGINT, SIGTERM or SIGHUP came."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Start everything, send the samples, tell, and stay until a signal comes."""
    options = _options(arguments)
    options.var.mkdir(parents=True, exist_ok=True)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # it is a TextIOWrapper
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        with ExitStack() as running:
            lock = running.enter_context((options.var / "run.lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                _demonstrate(options, running)
                signal.pause()
            finally:
                _ignore_signals()  # what follows is the stopping, in the order opposite to the starting
    except Stopped:
        print("\nStopped. What was written is in", options.var)
        return 0
    except BlockingIOError:
        return _fail(f"it is running already: {options.var}/run.lock is held. Stop that one first.")
    except (CommandFailed, ScannerFailed, OSError) as error:
        return _fail(str(error))
    return 0


def _options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--var", type=Path, default=Path("var"), help="folder for all files (default: var)")
    parser.add_argument("--samples", type=Path, default=Path("tests/samples"), help="messages to send")
    parser.add_argument("--clamd", type=Path, help="program to start where no clamd runs")
    parser.add_argument("--libraries", type=Path, help="folder of its shared libraries")
    return Options(**vars(parser.parse_args(arguments)))


def _stop(number: int, frame: FrameType | None) -> None:
    _ignore_signals()  # a second Ctrl-C must not break into the stopping
    raise Stopped


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _fail(text: str) -> int:
    print(f"make run: {text}", file=sys.stderr)
    return 1


def _demonstrate(options: Options, running: ExitStack) -> None:
    """Start everything on the stack, and print what is to be seen."""
    folder = options.var.absolute()
    scanner = _scanner(options, running)
    listen = _listen(folder)
    config = options.var / "tamis.toml"
    relay = f"inet:127.0.0.1:{processes.free_port(RELAY_PORT)}"
    web = processes.free_port(WEB_PORT)
    config.write_text(
        CONFIGURATION.format(listen=listen, folder=folder, relay=relay, web=web, scanner=scanner)
    )
    for account, wishes in ACCOUNTS.items():
        processes.run("account", config, ["set", account, *wishes])
    processes.run("account", config, ["password", USER], PASSWORD)
    running.enter_context(Service("serve", config, log=options.var / "serve.log"))
    print(f"milter    {listen}, log in {options.var}/serve.log")
    port = processes.free_port(SMTP_PORT)
    maildirs = options.var / "mail"
    arguments = ["--listen", f"inet:127.0.0.1:{port}", "--copies", relay]
    arguments += ["--maildir", str(maildirs), "--client", STRANGER]
    running.enter_context(Service("sandbox", config, arguments, log=options.var / "sandbox.log"))
    print(f"SMTP      127.0.0.1:{port}, mail in {maildirs}")
    processes.run("options", config, ["operator", "add", OPERATOR], PASSWORD)
    running.enter_context(Service("options", config, log=options.var / "options.log"))
    print(f"web page  http://127.0.0.1:{web}: sign in as {USER}, password {PASSWORD}")
    print(f"          its operator's overview: /operator, as {OPERATOR} with the same")
    print(f"\nThree accounts of example.org:\n{WISHES}\n\nWhat became of the sample messages:\n")
    print(_send(options.samples, port, maildirs=maildirs, config=config))
    tamis = _shortest(Path(sys.executable).with_name("tamis"))
    further = LOOK_FURTHER.format(
        tamis=shlex.quote(tamis),
        python=shlex.quote(_shortest(Path(sys.executable))),
        config=config,
        sample=options.samples / SHOWN,
        mail=maildirs,
        var=options.var,
        port=port,
        listen=listen,
    )
    print(f"\n{further}\nRunning until Ctrl-C.")


def _scanner(options: Options, running: ExitStack) -> str:
    """Find or start a clamd; return the part of the configuration that tells of it."""
    where = address.parse(LOCAL_CLAMD)
    try:
        print(f"clamd     {LOCAL_CLAMD}, {clamd.probe(where)}: this machine's own")
    except OSError:
        pass
    else:
        return WITH_SCANNER.format(clamd=LOCAL_CLAMD)
    if options.clamd is None or not options.clamd.exists():
        print("clamd     none is here, so antivirus is off")
        return WITHOUT_SCANNER
    database = SIGNATURES if any(SIGNATURES.glob("main.c[vl]d")) else None
    knows = "the signatures in /var/lib/clamav" if database else "the EICAR test file and nothing else"
    try:
        private = PrivateClamd(
            options.clamd, options.var / "clamd", libraries=options.libraries, database=database
        )
    except ValueError as error:  # the path of its socket is too long
        print(f"clamd     none, so antivirus is off: {error}")
        return WITHOUT_SCANNER
    running.enter_context(private)
    print(f"clamd     {private.address}: a private one that knows {knows}")
    return WITH_SCANNER.format(clamd=private.address)


def _listen(folder: Path) -> str:
    """Return where the milter listens: a unix socket if its path is short enough."""
    try:
        where = str(address.parse(f"unix:{folder}/milter.sock"))
    except ValueError:
        return f"inet:127.0.0.1:{processes.free_port(MILTER_PORT)}"
    _check_unused(folder / "milter.sock")
    return where


def _check_unused(path: Path) -> None:
    """Raise CommandFailed where a process listens on a socket, such as one that outlived its demo."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return
    raise CommandFailed(f"another process listens on {path}: stop it first")


def _send(folder: Path, port: int, *, maildirs: Path, config: Path) -> str:
    since = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    maildirs.mkdir(exist_ok=True)
    sent = [report.send(sample, port, maildirs) for sample in samples.load(folder)]
    return report.table(sent, report.tickets(config, since))


def _shortest(path: Path) -> str:
    """Return a path as one would type it here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


if __name__ == "__main__":
    sys.exit(main())
