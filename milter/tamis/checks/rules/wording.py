"""Rules about what a text says: words and phrases of known swindles and of advertising."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tamis.checks.caseless import lower
from tamis.checks.rules.facts import Facts
from tamis.finding import Rule

RULES = (
    Rule("SAYS_ADVANCE_FEE", "Speaks of an inheritance, a fund or a prize that waits to be claimed.", 2.5),
    Rule("SAYS_VERIFY_ACCOUNT", "Asks to verify, confirm or update an account.", 2.0),
    Rule(
        "SAYS_ACCOUNT_CLOSED", "Says that an account or mailbox is limited, full or about to be closed.", 2.0
    ),
    Rule("SAYS_PASSWORD", "Speaks of a password that expires or is to be kept.", 1.0),
    Rule("SAYS_EXTORTION", "Threatens to publish recordings or data.", 3.0),
    Rule("SAYS_CRYPTO", "Speaks of bitcoin, wallets or tokens.", 1.5),
    Rule("SAYS_EARN_MONEY", "Promises income.", 2.0),
    Rule("SAYS_LOAN", "Offers loans, mortgages or to settle debts.", 2.0),
    Rule("SAYS_MEDICINE", "Offers medicine or a cure.", 2.0),
    Rule("SAYS_ADULT", "Offers sex or company.", 2.0),
    Rule("SAYS_URGENT", "Presses for time.", 1.0),
    Rule("SAYS_FREE_OFFER", "Offers something free, guaranteed or without obligation.", 1.0),
    Rule("SAYS_CLICK_HERE", "Asks to click.", 0.7),
    Rule("SAYS_REMOVE", "Tells how to be removed, or why this is not spam.", 1.0),
    Rule("SAYS_PARCEL", "Says that a parcel could not be delivered or has to be paid for.", 1.5),
    Rule("SAYS_PAYMENT", "Speaks of a payment, refund or invoice that needs attention.", 1.0),
    Rule("SAYS_BULK_MAIL", "Sells addresses, mailings, followers or places in search engines.", 2.0),
    Rule("SAYS_TRADE", "Presents a manufacturer or supplier who seeks customers.", 1.5),
    Rule("SAYS_STOCK", "Praises a share.", 1.5),
    Rule("SAYS_CASINO", "Offers games of chance.", 2.0),
    Rule("SAYS_DEAR_NOBODY", "Greets a customer, friend, user or beneficiary without a name.", 1.5),
    Rule("SAYS_DEAR_ADDRESS", "Greets the recipient by his address.", 2.0),
)

# Phrases by rule, in lower case and without punctuation. Two different ones behind "//" weigh as much as one
# before it: they are as well said by friends.
PHRASES: Mapping[str, str] = {
    "SAYS_ADVANCE_FEE": """
        next of kin | late husband | inheritance | million dollars | million usd | million united
        states | fund transfer | transfer of funds | unclaimed | lottery | lotto | diplomatic |
        consignment | compensation fund | atm card | foreign partner | bank of nigeria | barrister |
        mutual benefit | contract payment | erbschaft | millionen euro | herança | herencia |
        héritage | spende von | donate to you | god bless
        // beneficiary | sum of | deceased | strictly confidential | donation of | us dollars |
        united nations | my late | transaction | trust | confidential | foreigner | bank account |
        widow | cancer | charity | attorney | investment""",
    "SAYS_VERIFY_ACCOUNT": """
        verify your | confirm your account | confirm your identity | confirm your information |
        update your account | validate your | update your information | update your payment |
        account verification | verify now | review your account | konto verifizieren | konto
        bestätigen | ihre daten bestätigen | daten aktualisieren | verifique sua | confirme seus |
        atualize seus | atualizar seus | vérifier votre | mettre à jour vos | verificar su |
        confirmar su | bevestig uw | controleer uw | identity verification | legitimation |
        sicherheitsverfahren | re validate | revalidate | reactivate your
        // bestätigen sie ihre | confirmer votre | security | verification | your information | your
        identity | billing information""",
    "SAYS_ACCOUNT_CLOSED": """
        deactivated | limited access | mailbox is | mailbox full | mailbox has | storage limit |
        unusual activity | unusual sign | suspicious activity | wurde gesperrt | wird gesperrt |
        será bloqueado | foi bloqueado | bloqueada | suspensa | suspendu | geblokkeerd | pending
        messages | undelivered messages | incoming messages | konto eingeschränkt
        // suspended | quota | unauthorized | eingeschränkt | gesperrt | permanently | terminated |
        failed to deliver | bloqué | restricted | account is | account has been | account will be""",
    "SAYS_PASSWORD": """
        password expires | password will expire | keep same password | keep current password | keep
        my password | same password | password is set to expire | password expiration
        // your password | passwort | sua senha | mot de passe | contraseña | wachtwoord | password""",
    "SAYS_EXTORTION": """
        recorded you | your contacts | masturbat | masturbating | i have access to | your secret |
        send the video | hacked your
        // webcam | adult sites | infected | trojan | your device | malware | bitcoin | video of you""",
    "SAYS_CRYPTO": """
        btc | ethereum | cryptocurrency | usdt | airdrop | seed phrase | metamask | coinbase |
        binance | trust wallet | crypto wallet | bitcoins
        // bitcoin | crypto | wallet | blockchain | nft | token | tokens | ledger""",
    "SAYS_EARN_MONEY": """
        make money | earn money | extra income | work from home | working from home | financial
        freedom | be your own boss | home based | business opportunity | passive income | get rich |
        earn up to | multi level | geld verdienen | ganhar dinheiro | gagner de l argent | from the
        comfort | extra cash | earning potential | residual income | financial independence
        // per week | income | cash | profits | investors | investment | earn | opportunity | wealth
        | millionaire | rich""",
    "SAYS_LOAN": """
        refinance | low rates | credit card debt | consolidate | bad credit | lenders | mortgage
        rates | loan offer | debt relief | loans | kredit | darlehen | empréstimo | prêt personnel |
        préstamo | credit score | pre approved | lowest rates | home loan
        // mortgage | loan | interest rate | interest rates | debt | financing | funding | credit |
        rates""",
    "SAYS_MEDICINE": """
        viagra | cialis | levitra | weight loss | lose weight | hgh | growth hormone | penis |
        erectile | anti aging | blood sugar | cbd | keto | online pharmacy | no prescription |
        enlargement | tinnitus | ejaculation | libido | pharmacies | lose pounds | neuropathy |
        prostate
        // pharmacy | prescription | pills | pounds | fat | diabetes | doctors | cure | meds |
        supplement | pain | dose | medication | ritual | trick""",
    "SAYS_ADULT": """
        porn | xxx | nude | horny | hot girls | milf | webcams | hookup | sexy | singles near |
        teens | sluts | pussy | fuck | ficken | nackte | naked girls
        // sex | naked | singles | dating | girls | adult | lonely | beautiful women | russian women
        | 18 years | explicit""",
    "SAYS_URGENT": """
        act now | within 24 hours | within 48 hours | limited time | last chance | today only |
        final notice | hurry | innerhalb von 24 | imediatamente | dentro de 24 | immédiatement |
        binnen 24 | before it s too late | immediate attention | immediate action
        // immediately | as soon as possible | urgent | urgently | expires | umgehend | sofort |
        urgente | don t miss | 24 hours | 48 hours""",
    "SAYS_FREE_OFFER": """
        100 free | absolutely free | free trial | free gift | no obligation | risk free | money back
        | satisfaction guaranteed | no cost to you | at no charge | exclusive offer | gift card |
        giveaway | you have been selected | you ve been selected | claim your | you have won | you
        won | gewonnen | gutschein | prêmio | order now | as seen on | absolutely no | call now |
        toll free | 100 guaranteed | free access
        // guaranteed | no cost | special offer | congratulations | reward | rewards | save up to |
        best price | lowest price | discount | promo | survey | gratuit | grátis | gratis | free |
        offer | voucher | bonus | exclusive | sale""",
    "SAYS_CLICK_HERE": """
        click here | click below | clique aqui | cliquez ici | hier klicken | klik hier | haga clic
        | klicken sie hier | just click | click on this
        // click the link | click on the | click the button | link below | button below | clique no
        | cliquez sur | klicken sie | acesse | sign in to | log in to | click | visit""",
    "SAYS_REMOVE": """
        remove me | to be removed | be removed from | removed from our | opt out | opted in | not
        spam | remove in the subject | further mailings | future mailings | stop receiving | this is
        an advertisement | bulk email | no longer wish | to get off | future offers | removal
        // unsolicited | removed from | unsubscribe | this email was sent to | this mailing |
        received this""",
    "SAYS_PARCEL": """
        your package | your parcel | delivery attempt | could not be delivered | delivery fee |
        shipping fee | customs fee | ihr paket | votre colis | sua encomenda | su paquete | uw
        pakket | redelivery | customs duty | ihre sendung
        // customs | tracking number | sendung | zustellung | livraison | reschedule | shipment |
        parcel | package | delivery | courier""",
    "SAYS_PAYMENT": """
        attached invoice | invoice attached | overdue | remittance | proforma | boleto | rembours |
        remboursement | outstanding invoice | payment advice | payment copy | swift copy | auto
        renew | auto renewal | has been charged | will be charged | refund
        // payment | billing | outstanding | wire transfer | purchase order | rechnung | zahlung |
        überweisung | fatura | pagamento | facture | paiement | factuur | betaling | invoice |
        renewal | charged | debited""",
    "SAYS_BULK_MAIL": """
        million addresses | bulk | email marketing | first page of google | seo | backlinks |
        website traffic | attendees list | attendee list | decision makers | guest post | search
        engine optimization | search engine ranking | email lists | opt in list | email list | app
        development | web design | website design | website redesign
        // email addresses | search engine | search engines | mobile app | targeted | leads |
        mailing lists | followers | contact list | traffic | rank | marketing""",
    "SAYS_TRADE": """
        moq | oem | shenzhen | competitive price | competitive prices | best quality | leading
        manufacturer | price list | professional manufacturer | our factory | trade assurance | from
        china | quotation
        // manufacturer | factory | supplier | our products | our company | wholesale | product
        range | cooperation | cooperate | export | catalogue | good quality | specialized in | co
        ltd | customers""",
    "SAYS_STOCK": """
        stock alert | hot stock | penny stock | investor alert | strong buy | price target | stock
        pick | otcbb | pink sheets | watch list
        // otc | symbol | wall street | shares of | nasdaq | shares | investors | stock | breakout""",
    "SAYS_CASINO": """
        online casino | casinos | jackpot | roulette | blackjack | free spins | sportsbook | vegas
        casino
        // casino | poker | slots | gambling | betting | bonus | wager""",
    "SAYS_DEAR_NOBODY": """
        dear friend | dear customer | dear client | dear user | dear member | dear beneficiary |
        dear email user | dear account | dear valued | dear beloved | dear winner | dear web | dear
        homeowner | dear customers | valued customer | hello dear | sehr geehrter kunde | sehr
        geehrte kundin | lieber kunde | guten tag kunde | prezado cliente | caro cliente | prezado a
        | cher client | chère cliente | estimado cliente | geachte klant | beste klant | attention
        beneficiary | compliments of the | dear sir | dear madam | dear owner | dear sirs | dear
        entrepreneur | dear investor | dear partner
        // good day | greetings | hello friend | dearest | attention""",
}  # fmt: skip


ENOUGH = 2  # phrases that are weak alone


GREETING = re.compile(
    r"\b(?:dear|hello|hi|hey|attention|guten tag|hallo|bonjour|cher|ol[áa]|caro|hola|ciao|beste)"
    r"[\s,:]+([^\s<>]+@[^\s<>]+)"
)  # in lower case
MAX_GREETING = 200  # characters
MAX_SAID = 2048  # characters in which phrases count: a long letter holds every word


# ASCII letters to lower case, punctuation and control characters to blanks.
FOLD = bytes(
    code + 32 if 0x41 <= code <= 0x5A else 0x20 if code < 0x80 and not chr(code).isalnum() else code
    for code in range(256)
)


def _words(text: str) -> list[str]:
    """Return the words of a text, folded; those of other letters than ASCII's in a form of their own."""
    # The octets above 127 become surrogates: no blanks are among them, and str is faster than bytes here.
    return text.encode("utf-8", "replace").translate(FOLD).decode("ascii", "surrogateescape").split()


@dataclass(frozen=True, slots=True)
class Phrase:
    """One word or several, the rule that they meet, and what they count."""

    words: frozenset[str]
    folded: str  # with a blank before and behind; "" for one word
    rule: str
    worth: int


def _index() -> dict[str, list[Phrase]]:
    """Return the phrases by the longest of their words."""
    found: dict[str, list[Phrase]] = {}
    for rule, phrases in PHRASES.items():
        strong, _, weak = phrases.partition("//")
        for group, worth in ((strong, ENOUGH), (weak, 1)):
            for phrase in group.split("|"):
                words = _words(phrase)
                folded = f" {' '.join(words)} " if len(words) > 1 else ""
                one = Phrase(frozenset(words), folded, rule, worth)
                found.setdefault(max(words, key=len), []).append(one)
    return found


INDEX = _index()
KNOWN = frozenset().union(*(one.words for phrases in INDEX.values() for one in phrases))


def find(facts: Facts) -> Iterator[str]:
    """Yield the names of the rules that a message meets."""
    counts: dict[str, int] = {}
    words = _words(f"{facts.subject}\n{facts.text[:MAX_SAID]}")
    known = KNOWN.intersection(words)
    folded = ""
    for word in known:
        if word not in INDEX:
            continue
        for one in INDEX[word]:
            if one.folded:
                if not one.words <= known:
                    continue
                folded = folded or f" {' '.join(words)} "
                if one.folded not in folded:
                    continue
            counts[one.rule] = counts.get(one.rule, 0) + one.worth
    yield from sorted(rule for rule, count in counts.items() if count >= ENOUGH)
    start = lower(facts.text[:MAX_GREETING])
    if any(address in start for address in facts.recipients):
        greeting = GREETING.search(start)
        if greeting and greeting[1].rstrip(".,:!") in facts.recipients:
            yield "SAYS_DEAR_ADDRESS"
