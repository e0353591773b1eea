"""Domains that tell something: free mailboxes, URL shorteners, free hosts, cheap top-level domains."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Providers of free mailboxes.
FREEMAIL = _words("""
    gmail.com googlemail.com yahoo.com yahoo.co.uk yahoo.fr yahoo.de yahoo.es yahoo.co.jp ymail.com
    hotmail.com hotmail.fr hotmail.co.uk outlook.com outlook.fr outlook.de live.com msn.com aol.com
    mail.com mail.ru yandex.ru yandex.com gmx.de gmx.net gmx.com web.de qq.com 163.com 126.com
    protonmail.com proton.me icloud.com me.com libero.it laposte.net orange.fr wanadoo.fr free.fr
    excite.com lycos.com netscape.net rediffmail.com bol.com.br uol.com.br terra.com.br zoho.com
    t-online.de seznam.cz naver.com tutanota.com consultant.com usa.com email.com
""")
# URL shorteners.
SHORTENERS = _words("""
    bit.ly goo.gl t.co tinyurl.com ow.ly is.gd buff.ly rb.gy cutt.ly rebrand.ly shorturl.at t.ly v.gd
    tiny.cc bl.ink lnkd.in s.id qrco.de soo.gd clck.ru u.to x.co adf.ly tr.im snipurl.com l.ead.me
    urlz.fr tinyurl.ru n9.cl acortar.link encurtador.com.br kutt.it surl.li dub.sh urlzs.com bitly.com
""")
# Top-level domains where a name costs next to nothing, by what spam of the last years came from.
CHEAP = _words("""
    xyz top icu club online site shop store live buzz click link work monster cfd sbs rest bond quest
    fun space website tk ml ga cf gq info biz pw cam loan win bid stream download racing date review
    trade party science life world today rocks lol hair skin makeup beauty autos boats mom zip mov cyou
    fit uno best
""")
# Hosts where anybody may put a page, a file or a form.
HOSTING = _words("""
    000webhostapp.com amazonaws.com angelfire.com azureedge.net azurewebsites.net backblazeb2.com
    blogspot.com canva.site cloudfront.net digitaloceanspaces.com docs.google.com duckdns.org dweb.link
    firebaseapp.com fly.dev forms.gle formstack.com framer.app geocities.com gitbook.io github.io
    glitch.me godaddysites.com googleapis.com herokuapp.com ipfs.io jotform.com linodeobjects.com
    myshopify.com netlify.app ngrok.io notion.site onrender.com pages.dev r2.dev repl.co
    sites.google.com square.site storage.googleapis.com surge.sh translate.goog tripod.com
    trycloudflare.com typeform.com vercel.app wcomhost.com web.app webflow.io weebly.com windows.net
    wixsite.com wordpress.com workers.dev
""")
