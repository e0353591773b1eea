"""The plugin for Roundcube in docs/reverse-proxy.md, in a real Roundcube beside the page, by HTTPS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.servers import nginx, php, roundcube
from tests.servers.chromium import PATIENCE
from tests.servers.imap import ImapServer, certify
from tests.servers.options import Options
from tests.servers.ports import free_port
from tests.servers.roundcube import Roundcube
from tests.stores import make_config, stored

from tamis.config import Config

PASSWORDS = {"anna@example.org": "of anna", "bob@example.org": "of bob"}
BLOCK = re.compile(r"^```php\n(?:<\?php // (\S+)\n)?(.*?)^```$", re.DOTALL | re.MULTILINE)
OPEN = re.compile(r"^    public function open\(\)\n.*?^    }\n", re.DOTALL | re.MULTILINE)


@dataclass
class Site:
    """Roundcube and the page, each by its name on one port."""

    config: Config
    roundcube: Roundcube
    port: int

    def put_plugin(self, *, in_frame: bool) -> None:
        """Give Roundcube the plugin as it is documented."""
        files = dict(BLOCK.findall(nginx.PAGE.read_text()))
        frame = files.pop("")
        if in_frame:
            files["tamis.php"] = OPEN.sub(lambda match: frame, files["tamis.php"])
        files = {name: f"<?php\n{text}" for name, text in files.items()}
        files["tamis_link.php"], _ = php.documented()
        here = {
            "https://mail.example.org/options": self.config.options.url,
            "/etc/tamis/link.key": self.config.options.link.key_file,
        }
        for documented, ours in here.items():
            files = {name: text.replace(documented, ours) for name, text in files.items()}
        self.roundcube.put(files)

    def sign_in(self, page: Page, address: str) -> None:
        """Sign in to Roundcube and open its settings."""
        page.goto(f"https://webmail.example.org:{self.port}/?_task=settings")
        page.locator("[name=_user]").fill(address)
        page.locator("[name=_pass]").fill(PASSWORDS[address])
        page.locator("[type=submit]").click()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run both behind an nginx that does TLS."""
    folder, port = tmp_path_factory.mktemp("roundcube"), free_port()
    key_file, certificate = folder / "link.key", folder / "both.pem"
    socket = Path("/tmp") / f"options-{port}.sock"
    key_file.write_text("k" * 32)
    key_file.chmod(0o640)
    certify(certificate)
    more = f"""
[options]
url = "https://mail.example.org:{port}/options"
listen = "unix:{socket}"
sign_in = ["link"]
frame_ancestors = ["https://webmail.example.org:{port}"]
[options.link]
key_file = "{key_file}"
"""
    config = make_config(folder, more=more)
    with (
        ImapServer(folder, PASSWORDS, tls="none") as mailboxes,
        roundcube.running(folder, mailboxes.port) as webmail,
        Options(folder / "tamis.toml"),
    ):
        tls = f"""
            listen 127.0.0.1:{port} ssl;
            ssl_certificate {certificate};
            ssl_certificate_key {certificate};
        """
        servers = f"""
            server {{ {tls} server_name mail.example.org; {nginx.location(socket)} }}
            server {{
                {tls}
                server_name webmail.example.org webmail.example.net;
                location / {{ proxy_pass http://127.0.0.1:{webmail.port}; proxy_set_header Host $http_host; }}
            }}
        """
        with nginx.serving(folder, servers, port):
            yield Site(config, webmail, port)


def new_page(chromium: Browser, language: str) -> Page:
    """Return a page of a new profile, which takes our certificate for a good one."""
    context = chromium.new_context(ignore_https_errors=True, locale=language)
    context.set_default_timeout(PATIENCE)
    return context.new_page()


def test_line_in_roundcubes_settings_opens_the_page(chromium: Browser, site: Site) -> None:
    site.put_plugin(in_frame=False)
    page = new_page(chromium, "en")

    site.sign_in(page, "anna@example.org")
    page.get_by_text("Mail filters").click()

    expect(page).to_have_url(f"{site.config.options.url}/reception")
    expect(page.get_by_text("anna@example.org")).to_be_visible()


def test_page_does_its_work_in_a_frame_and_in_the_language_of_roundcube(
    chromium: Browser, site: Site
) -> None:
    site.put_plugin(in_frame=True)
    site.sign_in(new_page(chromium, "fr"), "bob@example.org")  # what Roundcube speaks with him from now on
    page = new_page(chromium, "en")

    site.sign_in(page, "bob@example.org")
    page.get_by_text("Filtres du courrier").click()
    frame = page.frame_locator("iframe[title='Filtres du courrier']")
    frame.get_by_role("switch", name="Antispam").uncheck()
    frame.get_by_role("button", name="Enregistrer").click()

    expect(frame.get_by_role("status")).to_contain_text("En vigueur depuis")
    assert page.url.startswith("https://webmail.example.org:")
    assert stored(site.config, "SELECT * FROM setting") == [("bob@example.org", "antispam", '"off"')]


def test_page_is_in_no_frame_of_anybody_else(chromium: Browser, site: Site) -> None:
    page = new_page(chromium, "en")
    page.goto(f"https://webmail.example.net:{site.port}")

    page.evaluate("url => document.body.innerHTML = `<iframe src=${url}></iframe>`", site.config.options.url)

    expect(page.frame_locator("iframe").locator("body")).to_contain_text("refused to connect")
