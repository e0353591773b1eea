"""Firms whose names are borrowed for phishing, and the labels of the domains that they write from."""

from __future__ import annotations

import re

# Name as displayed (whole words, lower case) and words of which one stands in the registered domain.
BRANDS: dict[str, tuple[str, ...]] = {
    "paypal": ("paypal",),
    "microsoft": (
        "microsoft",
        "office365",
        "microsoftonline",
        "sharepointonline",
        "msn",
        "linkedin",
        "github",
    ),
    "office 365": ("microsoft", "office365", "microsoftonline"),
    "outlook": ("microsoft", "outlook"),
    "onedrive": ("microsoft", "onedrive"),
    "sharepoint": ("microsoft", "sharepoint"),
    "apple": ("apple", "icloud", "me", "itunes"),
    "icloud": ("apple", "icloud"),
    "itunes": ("apple", "itunes", "icloud"),
    "amazon": ("amazon", "amazonaws", "amazonses", "aws"),
    "netflix": ("netflix",),
    "facebook": ("facebook", "facebookmail", "fb", "meta"),
    "instagram": ("instagram", "facebookmail", "mail"),
    "whatsapp": ("whatsapp", "facebookmail", "facebook"),
    "linkedin": ("linkedin",),
    "docusign": ("docusign",),
    "dropbox": ("dropbox", "dropboxmail"),
    "adobe": ("adobe",),
    "dhl": ("dhl", "deutschepost"),
    "fedex": ("fedex",),
    "ups": ("ups",),
    "usps": ("usps",),
    "la poste": ("laposte",),
    "chronopost": ("chronopost", "laposte"),
    "correios": ("correios",),
    "ebay": ("ebay",),
    "coinbase": ("coinbase",),
    "binance": ("binance",),
    "metamask": ("metamask",),
    "trust wallet": ("trustwallet",),
    "ledger": ("ledger",),
    "wells fargo": ("wellsfargo",),
    "bank of america": ("bankofamerica", "bofa"),
    "chase": ("chase", "jpmorgan", "jpmchase"),
    "citibank": ("citibank", "citi"),
    "american express": ("americanexpress", "aexp"),
    "hsbc": ("hsbc",),
    "barclays": ("barclays", "barclaycard"),
    "santander": ("santander", "gruposantander"),
    "bradesco": ("bradesco",),
    "itau": ("itau",),
    "nubank": ("nubank",),
    "sparkasse": ("sparkasse", "sparkassen"),
    "volksbank": ("volksbank", "vr"),
    "commerzbank": ("commerzbank",),
    "postbank": ("postbank",),
    "deutsche bank": ("deutsche", "db"),
    "ing": ("ing",),
    "rabobank": ("rabobank",),
    "abn amro": ("abnamro",),
    "bnp paribas": ("bnpparibas", "bnp"),
    "crédit agricole": ("credit",),
    "société générale": ("societegenerale", "socgen"),
    "ameli": ("ameli",),
    "impots": ("gouv", "dgfip"),
    "mcafee": ("mcafee",),
    "norton": ("norton", "nortonlifelock", "gen"),
    "costco": ("costco",),
    "walmart": ("walmart",),
    "sams club": ("samsclub",),
    "home depot": ("homedepot",),
    "tractor supply": ("tractorsupply",),
    "ace hardware": ("acehardware",),
    "harbor freight": ("harborfreight",),
    "fidelity": ("fidelity",),
    "schwab": ("schwab",),
    "capital one": ("capitalone",),
    "interactive brokers": ("interactivebrokers", "ibkr"),
    "blue cross": ("bluecross", "bcbs"),
    "unitedhealthcare": ("uhc", "unitedhealthcare"),
    "aarp": ("aarp",),
    "t mobile": ("t-mobile", "tmobile", "mobile"),
    "verizon": ("verizon",),
    "xfinity": ("xfinity", "comcast"),
    "geek squad": ("geeksquad", "bestbuy"),
    "spotify": ("spotify",),
    "disney": ("disney", "disneyplus"),
    "telekom": ("telekom", "t-online"),
    "vodafone": ("vodafone",),
    "ionos": ("ionos", "1and1"),
    "strato": ("strato",),
    "visa": ("visa",),
    "mastercard": ("mastercard",),
    "western union": ("westernunion",),
    "irs": ("irs",),
    "hmrc": ("hmrc", "gov"),
}
NAMES = re.compile(r"\b(" + "|".join(sorted(map(re.escape, BRANDS), key=len, reverse=True)) + r")\b")
HOST_NAMES = re.compile(
    r"(?:^|[.-])("
    + "|".join(re.escape(name) for name in BRANDS if name.isascii() and " " not in name and len(name) > 3)
    + r")(?:-|\.(?:com|de|fr|co)\b.)"
)
LOOKALIKE = re.compile("[I015]")
READ_AS = str.maketrans("I015", "lols")  # what the eye takes them for
LABELS = re.compile(r"[.-]")


def brand_of(name: str, domain: str) -> str | None:
    """Return the firm whose name is displayed though the domain is not one of its own; None for none."""
    match = NAMES.search(name.replace("'", "").replace("\u2019", "").lower())
    if match is None and LOOKALIKE.search(name):
        match = NAMES.search(name.translate(READ_AS).lower())
    if match is None:
        return None
    brand = match[1]
    labels = LABELS.split(domain)
    if any(word in labels for word in BRANDS[brand]) or any(
        label.startswith(word) for word in BRANDS[brand] if len(word) > 3 for label in labels
    ):
        return None
    return brand


def brand_in_host(host: str, domain: str) -> str | None:
    """Return the firm of whose name another's host makes use, as in paypal.com.example.org; None for none."""
    for match in HOST_NAMES.finditer(host):
        if brand_of(match[1], domain):
            return match[1]
    return None
