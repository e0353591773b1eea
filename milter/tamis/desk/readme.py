"""What an export says of itself, in English and French."""

from __future__ import annotations

README = """\
YOUR DATA

This is all that the mail filter (Tamis) keeps about your account. It never keeps the content of mail.
Each table is there three times: as JSON, and as CSV and XLSX for spreadsheets.

account          your account: when it was made, closed, restricted, and last signed in to
settings         what is in force for your mail ("value"), and what you set yourself ("own")
tickets          what became of each message; other recipients are not shown
sessions         sign-ins: date, type, address of the device
setting_changes  who changed a setting ("user": you; "operator": your provider; "tamis": the filter itself)
consents         what you agreed to, and when you withdrew it
aliases          other addresses that lead to you, where the filter keeps them
programs         programs that you let in: what each may do, and when it was used last
manifest.json    the number of records and the SHA-256 of each file

Times are in UTC. In CSV and XLSX an apostrophe stands before what a spreadsheet could take for a
formula, and cells of an XLSX end after 32,767 characters. The JSON has all as it is.
In old tickets what ends in "@pseudonym.invalid" stands for an address, or for a message-ID.


VOS DONNÉES

Voici tout ce que le filtre de courrier (Tamis) conserve au sujet de votre compte. Il ne conserve jamais
le contenu du courrier. Chaque tableau existe en trois formats : JSON, et CSV et XLSX pour les tableurs.

account          votre compte : dates de création, de fermeture, de limitation et de dernière connexion
settings         ce qui s'applique à votre courrier (« value ») et ce que vous avez réglé vous-même (« own »)
tickets          ce qu'il est advenu de chaque message ; les autres destinataires ne figurent pas
sessions         connexions : date, type, adresse de l'appareil
setting_changes  réglages modifiés : quand, et par qui (« user » : vous, « operator » : le fournisseur)
consents         ce à quoi vous avez consenti, et quand vous l'avez retiré
aliases          les autres adresses qui mènent à vous, là où le filtre les conserve
programs         les programmes auxquels vous avez donné accès : leurs droits et leur dernière utilisation
manifest.json    le nombre d'enregistrements et l'empreinte SHA-256 de chaque fichier

Les heures sont en UTC. Dans les fichiers CSV et XLSX, une apostrophe précède ce qu'un tableur pourrait
prendre pour une formule, et les cellules d'un XLSX s'arrêtent à 32 767 caractères. Le JSON contient tout
tel quel. Dans les anciens tickets, ce qui finit par « @pseudonym.invalid » remplace une adresse, ou
l'identifiant d'un message (Message-ID).
"""
