"""Recommendations: what a customer looks at most, and what everybody does, counted in Redis."""

import os
import sys
from pathlib import Path

import redis

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parents[1] / "packages" / "service-python"))

from pakashop_service import Answer, Service  # noqa: E402

SHOWN = 5
EVERYBODY = "views:everybody"

store = redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True, socket_timeout=5)


def views(customer):
    return f"views:of:{customer}"


def record(request):
    view = request.json()
    customer, sku = view.get("customer"), view.get("sku")
    if not customer or not sku:
        raise Answer(400, {"error": "customer and sku are needed"})
    with store.pipeline() as batch:
        batch.zincrby(views(customer), 1, sku).zincrby(EVERYBODY, 1, sku).execute()
    raise Answer(202, {"customer": customer, "sku": sku})


def recommend(request):
    liked = []
    if service.flags.get("recommendations.personal"):
        liked = store.zrevrange(views(request.rest), 0, SHOWN - 1)
    popular = store.zrevrange(EVERYBODY, 0, SHOWN - 1)
    return {"customer": request.rest, "skus": list(dict.fromkeys(liked + popular))[:SHOWN]}


def check():
    store.ping()


service = Service(
    FOLDER,
    needs=["config", "backend"],
    stores={"redis": check},
    routes={("GET", "/recommendations/"): recommend, ("POST", "/recommendations"): record},
)
if __name__ == "__main__":
    service.run()
