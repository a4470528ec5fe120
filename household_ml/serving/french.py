"""French texts of reports, by their English wording.

Reasons have their sentences in :mod:`household_ml.scoring.reasons`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

__all__ = ["FRENCH"]

_PAGE: Final = {
    "model": "modèle",
    "digest": "empreinte",
    "made": "établi le",
    "{low} to {high}": "{low} à {high}",
    "household": "foyer",
    "extra member": "abonné supplémentaire",
    "undetermined": "indéterminé",
    "outside": "hors foyer",
    "tv": "téléviseur",
    "set top box": "décodeur",
    "streaming stick": "clé de streaming",
    "game console": "console de jeux",
    "phone": "téléphone",
    "tablet": "tablette",
    "computer": "ordinateur",
    "other": "autre",
    "device": "appareil",
    "verdict": "verdict",
    "probability": "probabilité",
    "why": "pourquoi",
    "place": "lieu",
    "home": "domicile",
}

_MODEL: Final = {
    "Who lives at home: evaluation": "Qui vit au foyer : évaluation",
    "Model {label}. For every device of an account: does its main user live at the account's "
    "main home?": "Modèle {label}. Pour chaque appareil d'un compte : son utilisateur principal "
    "vit-il au domicile principal du compte ?",
    "Every number here is about simulated people in real address space. No public truth exists "
    "for this task; read the numbers beside the rules on the same devices, not alone.": "Chaque "
    "chiffre porte ici sur des personnes simulées, dans un espace d'adresses réel. Il n'existe pas "
    "de vérité publique pour cette tâche ; lisez les chiffres à côté de ceux des règles sur les "
    "mêmes appareils, jamais seuls.",
    "{devices} devices of {accounts} accounts in world {name}, {outside} of them outside the "
    "household; {ambiguous} devices on which the policy itself is open (students, shared custody, "
    "second homes) are counted apart.": "{devices} appareils de {accounts} comptes dans le monde "
    "{name}, dont {outside} hors foyer ; {ambiguous} appareils sur lesquels la politique "
    "elle-même ne tranche pas (étudiants, garde alternée, résidences secondaires) sont comptés à "
    "part.",
    "The model beside the rules": "Le modèle à côté des règles",
    "score": "score",
    "PR-AUC": "PR-AUC",
    "found at 1 % false flags": "trouvés à 1 % de faux signalements",
    "found at 0.1 %": "trouvés à 0,1 %",
    "household devices its strictest answer flags": "appareils du foyer que signale sa réponse la "
    "plus stricte",
    "Second lines: 95 % intervals, bootstrap over accounts. A rule that has no operating point at "
    "a rate of false flags finds nothing there.": "Secondes lignes : intervalles à 95 %, bootstrap "
    "sur les comptes. Une règle sans point de fonctionnement à un taux de faux signalements n'y "
    "trouve rien.",
    "No threshold for outside could be certified on the calibration accounts, so nobody is called "
    "outside; more labelled accounts would certify one.": "Aucun seuil pour « hors foyer » n'a pu "
    "être certifié sur les comptes de calibration : personne n'est donc déclaré hors foyer. "
    "Davantage de comptes étiquetés permettraient d'en certifier un.",
    "At the model's own thresholds {found} of the devices outside are called outside, and "
    "{wronged} of the household devices are.": "Aux seuils du modèle, {found} des appareils hors "
    "foyer sont déclarés hors foyer, et {wronged} des appareils du foyer le sont.",
    "{coverage} of all devices get an answer, the others are undetermined. Calibration error "
    "(ECE): {ece}.": "{coverage} des appareils reçoivent une réponse, les autres restent "
    "indéterminés. Erreur de calibration (ECE) : {ece}.",
    "Flagged more than twice as often as the whole, at 1 % false flags:": "Signalés plus de deux "
    "fois plus souvent que l'ensemble, à 1 % de faux signalements :",
    "{ratio} times": "{ratio} fois",
    "No situation of household devices is flagged more than twice as often as the whole, at 1 % "
    "false flags.": "Aucune situation d'appareils du foyer n'est signalée plus de deux fois plus "
    "souvent que l'ensemble, à 1 % de faux signalements.",
    "Outside, by situation": "Hors foyer, par situation",
    "situation": "situation",
    "devices outside": "appareils hors foyer",
    "policy open": "politique ouverte",
    "Between two references": "Entre deux références",
    "The plain model and the oracles are trained inside this world, by cross-validation over its "
    "accounts; this model is not. The share of the way is where a score stands between the plain "
    "model (0) and the oracle that is told the true place of every session (100 %).": "Le modèle "
    "simple et les oracles sont entraînés dans ce monde, par validation croisée sur ses comptes ; "
    "ce modèle ne l'est pas. La part du chemin situe un score entre le modèle simple (0) et "
    "l'oracle à qui l'on dit le vrai lieu de chaque session (100 %).",
    "found at {rate} false flags": "trouvés à {rate} de faux signalements",
    "of the way": "du chemin",
    "policy open, flagged": "politique ouverte, signalés",
    "The inferred home is right in {share} of {accounts} accounts.": "Le domicile déduit est juste "
    "pour {share} de {accounts} comptes.",
    "Taken for home instead:": "Pris pour le domicile à sa place :",
    "no place at all": "aucun lieu",
    "no place: mobile, VPN or public networks": "aucun lieu : mobile, VPN ou réseaux publics",
    "a home that was left": "un domicile quitté",
    "a place used mostly by devices outside the household": "un lieu surtout utilisé par des "
    "appareils hors foyer",
    "another place of the household, such as a second home": "un autre lieu du foyer, comme une "
    "résidence secondaire",
    "From the plain model to the oracle, by world": "Du modèle simple à l'oracle, par monde",
    "world": "monde",
    "plain model at {rate}": "modèle simple à {rate}",
    "this model": "ce modèle",
    "oracle": "oracle",
    "home right": "domicile juste",
    "mean": "moyenne",
    "plain model, trained here": "modèle simple, entraîné ici",
    "this model's features, trained here": "variables de ce modèle, entraîné ici",
    "told the true access lines": "à qui l'on dit les vraies lignes d'accès",
    "oracle, told the true places": "oracle, à qui l'on dit les vrais lieux",
    "oracle, told which is home too": "oracle, à qui l'on dit aussi lequel est le domicile",
    "Accounts, day by day": "Des comptes, jour par jour",
    "Devices as rows, days as columns. Each cell is a day on which the device was used, coloured "
    "by the place where the account's addresses say it was.": "Une ligne par appareil, une colonne "
    "par jour. Chaque case est un jour où l'appareil a servi, dans la couleur du lieu que disent "
    "les adresses du compte.",
    "Account {account}": "Compte {account}",
    "How the model was made": "Comment le modèle a été fait",
    "Learnt from {accounts} accounts with {devices} labelled devices, {outside} of them outside.": (
        "Appris de {accounts} comptes comptant {devices} appareils étiquetés, dont {outside} hors "
        "foyer."
    ),
    "Simulated: no real person is in the training data.": "Simulé : aucune personne réelle ne "
    "figure dans les données d'apprentissage.",
    "{features} columns of features, {trees} trees; probabilities are calibrated on accounts of "
    "their own.": "{features} colonnes de variables, {trees} arbres ; les probabilités sont "
    "calibrées sur des comptes à part.",
    "outside at or below {value}.": "hors foyer : probabilité de {value} ou moins.",
    "household at or above {value}.": "foyer : probabilité de {value} ou plus.",
    "Bound on {name}: at most {rate} with {confidence} confidence; seen {errors} of {units}.": (
        "Borne sur {name} : au plus {rate} avec une confiance de {confidence} ; observé {errors} "
        "sur {units}."
    ),
    "account false flags": "les comptes honnêtes signalés à tort",
    "device false flags": "les appareils signalés à tort",
    "household error": "les erreurs parmi les appareils dits du foyer",
    "Meant to help people decide whom to ask; not to block, charge or close an account alone.": (
        "Destiné à aider des personnes à décider qui interroger ; non à bloquer, facturer ou "
        "fermer seul un compte."
    ),
    "How to read this": "Comment lire ce rapport",
    "False flag": "Faux signalement",
    ": a household device called outside.": " : un appareil du foyer déclaré hors foyer.",
    "Found": "Trouvés",
    ": share of the devices outside that are flagged at that price.": " : part des appareils hors "
    "foyer signalés à ce prix.",
    ": area under precision against recall of the class outside; what knows nothing reaches the "
    "share of devices outside.": " : aire sous la courbe précision-rappel de la classe « hors "
    "foyer » ; ce qui ne sait rien atteint la part des appareils hors foyer.",
    "is an answer: too little history, or a probability between the two thresholds. Nothing may "
    "be blocked on it.": "est une réponse : trop peu d'historique, ou une probabilité entre les "
    "deux seuils. Rien ne doit être bloqué pour cela.",
    "A neighbour behind the same carrier NAT, or a borrower who tunnels through the home, cannot "
    "be told apart by construction.": "Un voisin derrière le même NAT d'opérateur, ou un "
    "emprunteur qui passe par un tunnel vers le domicile, ne peut par construction être distingué.",
    "prior": "a priori",
    "other address than usual": "autre adresse que d'habitude",
    "31 days off the TV's network": "31 jours hors du réseau du téléviseur",
    "share off the main network": "part hors du réseau principal",
    "share off the main AS": "part hors de l'AS principal",
    "logistic on overlaps": "logistique sur les recouvrements",
}

_ACCOUNT: Final = {
    "Account {account}: which devices are of its household": "Compte {account} : quels appareils "
    "sont de son foyer",
    "As of {moment}, by model {label}. Times are local to each device.": "Au {moment}, par le "
    "modèle {label}. Les heures sont locales à chaque appareil.",
    "The people and sessions shown here are simulated.": "Les personnes et les sessions montrées "
    "ici sont simulées.",
    "In short": "En bref",
    "{devices} devices were seen. Answers:": "{devices} appareils ont été vus. Réponses :",
    "Home is taken to be place 0 ({operator}), with a claim of {claim}.": "Le domicile serait le "
    "lieu 0 ({operator}), avec une probabilité de {claim}.",
    "Which place is home is in doubt: another place has a claim of {rival}.": "Le domicile n'est "
    "pas certain : un autre lieu a une probabilité de {rival}.",
    "No place could be taken for home.": "Aucun lieu n'a pu être tenu pour le domicile.",
    "unknown operator": "opérateur inconnu",
    "What was seen": "Ce qui a été vu",
    "{sessions} sessions from {first} to {last}, on {devices} devices, from {addresses} addresses "
    "of {operators} operators. No address stands in this report.": "{sessions} sessions du {first} "
    "au {last}, sur {devices} appareils, depuis {addresses} adresses de {operators} opérateurs. "
    "Aucune adresse ne figure dans ce rapport.",
    "Places": "Lieux",
    "Addresses that the same devices carry over are joined into places. The claim is the "
    "probability that a place is the account's home.": "Les adresses entre lesquelles passent les "
    "mêmes appareils sont réunies en lieux ; à chacun sa probabilité d'être le domicile du "
    "compte.",
    "operator": "opérateur",
    "claim": "est le domicile",
    "devices": "appareils",
    "sessions": "sessions",
    "nights": "nuits",
    "place {number}": "lieu {number}",
    "nights: {nights}; networks: {networks}; claim: {claim}": "nuits : {nights} ; réseaux : "
    "{networks} ; domicile : {claim}",
    "{place}: {sessions} sessions": "{place} : {sessions} sessions",
    "{places} more places": "{places} autres lieux",
    "mobile, VPN or shared": "mobile, VPN ou partagé",
    "Answers and reasons": "Réponses et raisons",
    "The answer for each device": "La réponse pour chaque appareil",
    "last at home": "vu au domicile",
    "never": "jamais",
    "What would change it": "Ce qui la changerait",
    "A device is called household from a probability of {household} on, and outside up to "
    "{outside}; in between nothing is decided.": "Un appareil est dit du foyer à partir d'une "
    "probabilité de {household}, et hors foyer jusqu'à {outside} ; entre les deux, rien n'est "
    "décidé.",
    "A device is called household from a probability of {household} on; no device is called "
    "outside by this model.": "Un appareil est dit du foyer à partir d'une probabilité de "
    "{household} ; ce modèle ne déclare aucun appareil hors foyer.",
    "This model decides nothing: no threshold could be certified.": "Ce modèle ne décide rien : "
    "aucun seuil n'a pu être certifié.",
    "Regular use at the account's home, beside the other devices of the household, speaks for it; "
    "more of it never lowers the probability.": "Un usage régulier au domicile du compte, avec les "
    "autres appareils du foyer, plaide pour lui ; davantage d'usage n'abaisse jamais la "
    "probabilité.",
    "At least {count} sessions within 180 days are needed for any answer.": "Il faut au moins "
    "{count} sessions en 180 jours pour toute réponse.",
    "Regular use at another place, while the home is used by others, speaks against it.": "Un "
    "usage régulier dans un autre lieu, pendant que d'autres utilisent le domicile, plaide contre "
    "lui.",
    "If this is wrong": "Si c'est faux",
    "This is a probability about devices, not a finding about people, and it can be wrong. "
    "Students, shared custody and second homes are left open by the policies themselves; travel, "
    "a new operator or a new home can look like another household for some weeks.": "C'est une "
    "probabilité sur des appareils, non un constat sur des personnes, et elle peut être fausse. "
    "Les politiques elles-mêmes ne tranchent pas pour les étudiants, la garde alternée et les "
    "résidences secondaires ; un voyage, un nouvel opérateur ou un déménagement peuvent ressembler "
    "à un autre foyer pendant quelques semaines.",
    "Nothing may be blocked, charged or closed on it alone. Whoever is concerned may ask for the "
    "reasons, have a person look at them, and contest the answer; undetermined is no accusation.": (
        "Rien ne doit être bloqué, facturé ou fermé sur cette seule base. Toute personne concernée "
        "peut demander les raisons, les faire examiner par une personne et contester la réponse ; "
        "« indéterminé » n'est pas une accusation."
    ),
    "Places of the devices of account {account} by day": "Lieux des appareils du compte {account} "
    "par jour",
    "truth: {situation}": "vérité : {situation}",
    "{device}, {day}: {place}": "{device}, {day} : {place}",
    "Where the devices of account {account} are used": "Où servent les appareils du compte "
    "{account}",
}

_PICTURES: Final = {
    "precision and recall": "précision et rappel",
    "recall at false flags": "rappel selon les faux signalements",
    "reliability": "fiabilité",
    "cost": "coût",
    "where to draw the line": "où tracer la ligne",
    "false flags by situation": "faux signalements par situation",
    "household probability said": "probabilité annoncée d'être du foyer",
    "share that is household, 95 %": "part réellement du foyer, 95 %",
    "What is said and what is true": "Ce qui est dit et ce qui est vrai",
    "prevalence": "prévalence",
    "outside devices found (recall)": "appareils hors foyer trouvés (rappel)",
    "right among flagged (precision)": "justes parmi les signalés (précision)",
    "Finding devices outside the household": "Trouver les appareils hors foyer",
    "household devices flagged (false flags)": "appareils du foyer signalés (faux signalements)",
    "What is found at the price of false flags": "Ce qui est trouvé au prix de faux signalements",
    "household devices flagged, 95 %": "appareils du foyer signalés, 95 %",
    "False flags by situation": "Faux signalements par situation",
    "the whole, 1.0%": "l'ensemble, 1,0 %",
    "outside at": "hors foyer jusqu'à",
    "household at": "foyer dès",
    "twice that": "le double",
    "price of a false flag, in devices outside that are missed": "prix d'un faux signalement, en "
    "appareils hors foyer manqués",
    "harm left (1 = flag nobody)": "tort restant (1 = ne signaler personne)",
    "What it saves, by what a wrong costs": "Ce qu'il épargne, selon le prix d'un tort",
    "flag nobody": "ne signaler personne",
    "devices outside that are found": "appareils hors foyer trouvés",
    "household devices flagged": "appareils du foyer signalés",
    "honest accounts with a device flagged": "comptes honnêtes avec un appareil signalé",
    "called outside at or below this household probability": "déclaré hors foyer jusqu'à cette "
    "probabilité",
    "share": "part",
    "Where to draw the line": "Où tracer la ligne",
}

_SITUATIONS: Final = {
    "resident fixed": "résident, appareil fixe",
    "resident mobile": "résident, appareil mobile",
    "resident travelling": "résident en voyage",
    "resident new device": "résident, nouvel appareil",
    "resident commuting": "résident qui fait la navette",
    "resident vpn": "résident derrière un VPN",
    "resident cellular only": "résident, réseau mobile seul",
    "resident renumbered daily": "résident, adresse changée chaque jour",
    "resident moved": "résident qui a déménagé",
    "resident changed isp": "résident qui a changé d'opérateur",
    "resident two isps": "résident à deux opérateurs",
    "resident carrier nat": "résident derrière un NAT d'opérateur",
    "second home": "résidence secondaire",
    "student away": "étudiant hors du domicile",
    "alternating custody": "garde alternée",
    "borrower far": "emprunteur, loin",
    "borrower same city": "emprunteur, même ville",
    "borrower same isp": "emprunteur, même opérateur",
    "borrower same carrier nat": "emprunteur, même NAT d'opérateur",
    "borrower visits monthly": "emprunteur en visite chaque mois",
    "borrower visits weekly": "emprunteur en visite chaque semaine",
    "ex member left": "ancien membre parti",
    "grandparent tv": "téléviseur des grands-parents",
    "hotel tv left signed in": "téléviseur d'hôtel resté connecté",
    "stolen credentials": "identifiants volés",
    "borrower vpn through home": "emprunteur par VPN vers le domicile",
    "borrower phone hotspot": "emprunteur par partage de connexion",
    "guest once": "invité d'une fois",
}

#: English wording -> French wording.
FRENCH: Final = MappingProxyType({**_PAGE, **_MODEL, **_ACCOUNT, **_PICTURES, **_SITUATIONS})
