"""Rules about what a text says: words and phrases of known swindles and of advertising."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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

# Phrases by rule, in lower case, without punctuation, ASCII letters or UTF-8.
PHRASES: Mapping[str, str] = {
    "SAYS_ADVANCE_FEE": """next of kin|late husband|beneficiary|inheritance|million dollars|million usd|million united states
        |us dollars|fund transfer|transfer of funds|unclaimed|lottery|lotto|sum of|deceased|diplomatic|consignment|compensation fund
        |atm card|foreign partner|bank of nigeria|barrister|strictly confidential|mutual benefit|contract payment|donation of
        |erbschaft|millionen euro|herança|herencia|héritage|spende von""",
    "SAYS_VERIFY_ACCOUNT": """verify your|confirm your account|confirm your identity|confirm your information|update your account
        |update your information|update your payment|account verification|validate your|verify now|review your account
        |konto verifizieren|konto bestätigen|ihre daten bestätigen|daten aktualisieren|bestätigen sie ihre|verifique sua|confirme seus
        |atualize seus|atualizar seus|vérifier votre|confirmer votre|mettre à jour|verificar su|confirmar su|bevestig uw|controleer uw
        |identity verification|legitimation|sicherheitsverfahren""",
    "SAYS_ACCOUNT_CLOSED": """account has been|account will be|account is|suspended|deactivated|limited access|mailbox is|mailbox full
        |storage limit|quota|unusual activity|unusual sign|suspicious activity|unauthorized|wurde gesperrt|wird gesperrt|eingeschränkt
        |gesperrt|será bloqueado|foi bloqueado|bloqueada|suspensa|suspendu|bloqué|geblokkeerd|permanently|terminated|incoming messages
        |pending messages|undelivered messages|failed to deliver""",
    "SAYS_PASSWORD": """password expires|password will expire|your password|keep same password|keep current password|keep my password
        |same password|passwort|sua senha|mot de passe|contraseña|wachtwoord""",
    "SAYS_EXTORTION": """webcam|recorded you|your contacts|masturbat|adult sites|i have access|infected with|trojan|your device
        |your secret|send the video""",
    "SAYS_CRYPTO": """bitcoin|btc|ethereum|crypto|cryptocurrency|wallet|blockchain|nft|usdt|airdrop|seed phrase|metamask|coinbase""",
    "SAYS_EARN_MONEY": """make money|earn money|extra income|work from home|working from home|per week|financial freedom|be your own boss
        |home based business|business opportunity|income|passive income|get rich|cash|earn up to|profits|investors|investment
        |geld verdienen|ganhe|ganhar dinheiro|gagner""",
    "SAYS_LOAN": """mortgage|refinance|loan|loans|low rates|interest rate|interest rates|credit card debt|consolidate|debt|bad credit|lenders
        |kredit|darlehen|empréstimo|prêt|préstamo|financing|funding""",
    "SAYS_MEDICINE": """viagra|cialis|levitra|pharmacy|prescription|pills|weight loss|lose weight|pounds|fat|hgh|growth hormone|penis
        |erectile|anti aging|diabetes|blood sugar|cbd|keto|doctors|cure|meds|enlargement|supplement|tinnitus|prostate""",
    "SAYS_ADULT": """sex|sexy|porn|xxx|nude|naked|horny|singles|dating|hot girls|girls|milf|webcams|adult|lonely|hookup""",
    "SAYS_URGENT": """act now|within 24 hours|within 48 hours|24 hours|48 hours|immediately|as soon as possible|urgent|urgently|expires
        |hurry|limited time|last chance|today only|final notice|don t miss|do not miss|innerhalb von|umgehend|sofort|imediatamente
        |24 horas|urgente|immédiatement|binnen 24""",
    "SAYS_FREE_OFFER": """100 free|absolutely free|free trial|free gift|no obligation|risk free|money back|satisfaction guaranteed|guaranteed
        |no cost|at no charge|special offer|exclusive offer|gift card|giveaway|you have been selected|you ve been selected|claim your
        |congratulations|you won|you have won|reward|rewards|save up to|best price|lowest price|discount|order now|promo|survey
        |gewonnen|gutschein|gratuit|grátis|gratis|prêmio""",
    "SAYS_CLICK_HERE": """click here|click below|click the link|click on the|click the button|link below|button below|clique aqui
        |clique no|cliquez ici|cliquez sur|klicken sie|hier klicken|klik hier|haga clic|acesse|sign in to|log in to""",
    "SAYS_REMOVE": """remove me|to be removed|be removed from|removed from|removal|opt out|opted in|not spam|unsolicited|remove in the subject
        |further mailings|future mailings|mailing list please|stop receiving|this email was sent to|this is an advertisement|bulk email
        |no longer wish""",
    "SAYS_PARCEL": """your package|your parcel|delivery attempt|could not be delivered|delivery fee|shipping fee|customs|tracking number
        |ihr paket|sendung|zustellung|votre colis|livraison|sua encomenda|su paquete|uw pakket|redelivery|reschedule|shipment""",
    "SAYS_PAYMENT": """refund|invoice attached|attached invoice|overdue|payment has|your payment|payment is|billing|outstanding|remittance
        |wire transfer|swift|proforma|purchase order|rechnung|zahlung|überweisung|fatura|boleto|pagamento|facture|paiement|rembours
        |remboursement|factuur|betaling|transaction|subscription|renewal|auto renew""",
    "SAYS_BULK_MAIL": """email addresses|million addresses|bulk|email marketing|search engine|search engines|first page of google|seo
        |backlinks|web design|website design|mobile app|app development|website traffic|targeted|leads|mailing lists|followers
        |email list|contact list|attendees list|attendee list|decision makers|guest post""",
    "SAYS_TRADE": """manufacturer|factory|supplier|our products|our company|wholesale|best quality|product range|quotation|cooperation
        |cooperate|export|from china|moq|oem|price list|catalogue|shenzhen|co ltd|competitive price|good quality|specialized in""",
    "SAYS_STOCK": """stock alert|hot stock|penny stock|otc|investor alert|strong buy|price target|symbol|wall street|shares of|nasdaq""",
    "SAYS_CASINO": """casino|casinos|poker|jackpot|slots|gambling|betting|roulette|blackjack|free spins|sportsbook""",
    "SAYS_DEAR_NOBODY": """dear friend|dear customer|dear client|dear user|dear member|dear beneficiary|dear sir|dear madam|dear email user
        |dear account|dear valued|dear beloved|dear winner|dear web|dear homeowner|dear customers|valued customer|hello friend|hello dear
        |sehr geehrter kunde|sehr geehrte kundin|lieber kunde|guten tag kunde|caro cliente|prezado cliente|prezado a|prezado|cher client
        |chère cliente|estimado cliente|geachte klant|beste klant|attention beneficiary|compliments of|good day|greetings""",
}  # fmt: skip


def _index() -> dict[bytes, list[tuple[bytes, str]]]:
    """Return for the longest word of each phrase the phrases with it: most words are seldom met."""
    found: dict[bytes, list[tuple[bytes, str]]] = {}
    for rule, phrases in PHRASES.items():
        for phrase in phrases.split("|"):
            words = phrase.encode().split()
            found.setdefault(max(words, key=len), []).append((b" " + b" ".join(words) + b" ", rule))
    return found


INDEX = _index()
KEYWORDS = frozenset(INDEX)


def find(facts: Facts) -> Iterator[str]:
    """Yield the names of the rules that a message meets."""
    found: set[str] = set()
    for word in KEYWORDS & facts.vocabulary:
        for phrase, rule in INDEX[word]:
            if rule not in found and phrase in facts.folded:
                found.add(rule)
    yield from sorted(found)
    greeting = facts.text[:200].lower()
    for address in facts.recipients:
        if address in greeting or _greeted(address.partition("@")[0], greeting):
            yield "SAYS_DEAR_ADDRESS"
            break


def _greeted(local: str, greeting: str) -> bool:
    return len(local) > 2 and any(
        f"{word} {local}" in greeting for word in ("dear", "hello", "hi", "hallo", "olá")
    )
