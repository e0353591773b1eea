"""Debian's Roundcube, whose files are unpacked, with PHP's own web server and SQLite."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import php
from tests.servers.php import UNPACKED, found

MODULES = (
    "ctype",
    "dom",
    "fileinfo",
    "iconv",
    "intl",
    "mbstring",
    "pdo",
    "pdo_sqlite",
    "posix",
    "sockets",
    "xml",
)


@dataclass
class Roundcube:
    """A running one."""

    port: int
    install: Path

    def put(self, plugin: Mapping[str, str]) -> None:
        """Write the files of the plugin `tamis`, by name."""
        for name, text in plugin.items():
            path = self.install / "plugins/tamis" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


@contextmanager
def running(folder: Path, imap: int) -> Iterator[Roundcube]:
    """Run a Roundcube with its files in a folder, for the users of an IMAP server."""
    install = folder / "share/roundcube"
    shutil.copytree(found("usr/share/roundcube"), install, symlinks=True)
    (install / "plugins/jqueryui/config.inc.php").unlink()  # leads to /etc
    _bring_scripts(folder / "share/javascript")
    _configure(folder / "config", folder, imap)
    first = folder / "first.php"
    first.write_text(f"<?php const INSTALL_PATH = '{install}/'; const RCMAIL_CONFIG_DIR = '{folder}/config';")
    settings = [
        *(f"extension={found(f'usr/lib/php/20220829/{name}.so')}" for name in MODULES),
        f"auto_prepend_file={first}",
        f"include_path=.:{UNPACKED}/roundcube-core/usr/share/php:/usr/share/php",
    ]
    with php.serving(install, settings) as port:
        yield Roundcube(port, install)


def _bring_scripts(folder: Path) -> None:
    """Make the folder that links of Roundcube's lead to: scripts unpacked, or installed."""
    folder.mkdir()
    for name in ("bootstrap4", "jquery", "jquery-ui", "jstimezonedetect"):
        (folder / name).symlink_to(found(f"usr/share/javascript/{name}"))


def _configure(config: Path, folder: Path, imap: int) -> None:
    config.mkdir()
    for name in ("defaults.inc.php", "mimetypes.php"):
        shutil.copy(found(f"etc/roundcube/{name}"), config)
    (config / "config.inc.php").write_text(
        f"""<?php
        $config['db_dsnw'] = 'sqlite:///{folder}/roundcube.db?mode=0600';
        $config['imap_host'] = '127.0.0.1:{imap}';
        $config['des_key'] = '24 octets, for the tests';
        $config['log_dir'] = $config['temp_dir'] = '{folder}/';
        $config['plugins'] = ['tamis'];
        """
    )
