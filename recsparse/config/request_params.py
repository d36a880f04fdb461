"""What a request to a served model may set, with the defaults."""

from typing import Any

# MLflow writes them into the signature of a logged model. An empty list or text is nothing given.
REQUEST_PARAMS: dict[str, Any] = {
    "k": 20,
    "filter_seen": True,
    "on_unknown": "null",
    "items": [],
    "explain": False,
    "history": "",
}
