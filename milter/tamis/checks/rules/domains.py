"""Domains that tell something: free mailboxes, URL shorteners, free hosts, cheap top-level domains."""

from __future__ import annotations

FREEMAIL = frozenset(
    "gmail.com googlemail.com yahoo.com yahoo.co.uk yahoo.fr yahoo.de yahoo.es yahoo.co.jp ymail.com hotmail.com "
    "hotmail.fr hotmail.co.uk outlook.com outlook.fr outlook.de live.com msn.com aol.com mail.com mail.ru "
    "yandex.ru yandex.com gmx.de gmx.net gmx.com web.de qq.com 163.com 126.com protonmail.com proton.me "
    "icloud.com me.com libero.it laposte.net orange.fr wanadoo.fr free.fr excite.com lycos.com netscape.net "
    "rediffmail.com bol.com.br uol.com.br terra.com.br zoho.com t-online.de seznam.cz naver.com tutanota.com "
    "consultant.com usa.com email.com".split()
)
SHORTENERS = frozenset(
    "bit.ly goo.gl t.co tinyurl.com ow.ly is.gd buff.ly rb.gy cutt.ly rebrand.ly shorturl.at t.ly v.gd tiny.cc "
    "bl.ink lnkd.in s.id qrco.de soo.gd clck.ru u.to x.co adf.ly tr.im snipurl.com l.ead.me urlz.fr tinyurl.ru "
    "n9.cl acortar.link encurtador.com.br kutt.it surl.li dub.sh urlzs.com bitly.com".split()
)
CHEAP = frozenset(
    "xyz top icu club online site shop store live buzz click link work monster cfd sbs rest bond quest fun space "
    "website tk ml ga cf gq info biz pw cam loan win bid stream download racing date review trade party science "
    "life world today rocks lol hair skin makeup beauty autos boats mom zip mov cyou fit uno best".split()
)
HOSTING = (
    "web.app", "firebaseapp.com", "blogspot.com", "weebly.com", "wixsite.com", "github.io", "pages.dev",
    "workers.dev", "r2.dev", "netlify.app", "vercel.app", "herokuapp.com", "glitch.me", "repl.co", "ipfs.io",
    "dweb.link", "storage.googleapis.com", "googleapis.com", "docs.google.com", "forms.gle", "sites.google.com",
    "windows.net", "azurewebsites.net", "azureedge.net", "cloudfront.net", "amazonaws.com", "digitaloceanspaces.com",
    "backblazeb2.com", "linodeobjects.com", "godaddysites.com", "square.site", "myshopify.com", "typeform.com",
    "jotform.com", "000webhostapp.com", "wordpress.com", "webflow.io", "framer.app", "geocities.com", "tripod.com",
    "angelfire.com", "duckdns.org", "ngrok.io", "trycloudflare.com", "translate.goog", "surge.sh", "fly.dev",
    "onrender.com", "formstack.com", "canva.site", "notion.site", "gitbook.io", "wcomhost.com",
)  # fmt: skip
