"""Moderation: which words of a text are not for the shop's pages; decisions are kept in PostgreSQL."""

import sys
from pathlib import Path

from ahocorapy.keywordtree import KeywordTree

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parents[1] / "packages" / "service-python"))

from database import Database  # noqa: E402
from pakashop_service import Answer, Service  # noqa: E402

ALWAYS = ["counterfeit", "scam", "stolen"]
WHEN_STRICT = ["replica", "cheapest", "miracle"]

database = Database()
trees = {}


def tree(strict):
    if strict not in trees:
        words = KeywordTree(case_insensitive=True)
        for word in ALWAYS + (WHEN_STRICT if strict else []):
            words.add(word)
        words.finalize()
        trees[strict] = words
    return trees[strict]


def judge(text):
    found = {word for word, _ in tree(service.flags.get("moderation.strict", False)).search_all(text)}
    return {"accepted": not found, "words": sorted(found)}


def decide(request):
    decision = judge(str(request.json().get("text", "")))
    database.run(
        "INSERT INTO moderation_decisions (accepted, words) VALUES (:accepted, :words)", **decision
    )
    raise Answer(201, decision)


def preview(request):
    decided = database.run("SELECT count(*) FROM moderation_decisions")[0][0]
    return {**judge(request.query.get("text", "")), "decided": decided}


service = Service(
    FOLDER,
    needs=["config", "backend"],
    stores={"postgres": database.check},
    routes={("GET", "/moderation"): preview, ("POST", "/moderation"): decide},
)
if __name__ == "__main__":
    service.run()
