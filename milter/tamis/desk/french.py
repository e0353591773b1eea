"""Mails to users in French."""

from __future__ import annotations

from tamis.desk.words import Kind, Words

FRENCH = Words(
    subjects={
        Kind.CHANGED: "Des réglages de votre filtre de courrier ont été modifiés",
        Kind.PASSWORD: "Votre mot de passe pour le filtre de courrier a été changé",
        Kind.CLOSED: "Votre compte a été fermé",
        Kind.ERASED: "Vos données ont été effacées",
        Kind.INACTIVE: "Connectez-vous, sinon les données de votre compte seront supprimées",
    },
    texts={
        Kind.CHANGED: """\
Bonjour,

le {time}, votre fournisseur a modifié des réglages du filtre de
courrier pour {address} :

{changes}

Vous recevez ce message parce que la modification ne vient pas de vous. Si vous
n'en connaissez pas la raison, demandez-la à votre fournisseur.
""",
        Kind.PASSWORD: """\
Bonjour,

le {time}, le mot de passe de
{address}
pour la page du filtre de courrier a été changé sur cette page. Tous les autres
navigateurs ont été déconnectés.

Si ce n'était pas vous, quelqu'un d'autre le connaissait : prévenez vite votre
fournisseur.
""",
        Kind.CLOSED: """\
Bonjour,

le {time}, le compte {address}
a été fermé dans le filtre de courrier. Ce que le filtre conserve à son sujet
sera supprimé à l'issue des délais annoncés par votre fournisseur. D'ici là, le
compte peut être rouvert tel quel.

Si vous ne l'avez pas voulu, prévenez vite votre fournisseur.
""",
        Kind.ERASED: """\
Bonjour,

le {time}, ce que le filtre de courrier conservait au sujet de
{address} a été effacé.

{kept}
""",
        Kind.INACTIVE: """\
Bonjour,

personne ne s'est connecté à {address}
depuis le {last}. Votre fournisseur s'est engagé à supprimer les données
des comptes inutilisés. Connectez-vous une fois pour garder ce que le filtre de
courrier conserve pour vous : vos réglages, et ce qu'il est advenu de votre
courrier.

Rien n'est supprimé pour cette raison avant le {until}.
""",
    },
    nothing="non réglé",
    gone="Il n'en reste rien.",
    stays="""\
La loi, ou ce que votre fournisseur a promis, impose d'en garder une partie plus
longtemps ; elle disparaîtra d'elle-même à la date indiquée :
""",
    until="  {name} : {day}",
)
