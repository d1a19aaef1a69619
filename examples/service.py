# %% [markdown]
# # The HTTP service and a client in Python
# The service needs the extra `serve`; the client needs the standard library only.

# %% Fit a bundle and start the service in another process, on a free port
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import shortlist as sl
from shortlist.data.samples import sample_paths

folder = Path(tempfile.mkdtemp())
with sl.Store.create(folder / "films.duckdb", "movies") as store:
    store.load(list(sample_paths()))
    data = store.dataset()
sl.ItemCosine().fit(data).save(folder / "films")

shortlist = Path(sys.executable).with_name("shortlist")
arguments = [f"{folder / 'films'}", "--port", "0", "--database", f"{folder / 'films.duckdb'}"]
service = subprocess.Popen([shortlist, "serve", *arguments], stderr=subprocess.PIPE, text=True)
assert service.stderr is not None
matches = (re.search(r"http://[\d.]+:\d+", line) for line in service.stderr)
address = next(match.group() for match in matches if match)  # printed once it listens
print(address)


def send(path: str, body: dict[str, Any] | None = None) -> Any:
    """Send a request: POST if there is a body, else GET."""
    content = None if body is None else json.dumps(body).encode()
    request = Request(f"{address}{path}", content, {"Content-Type": "application/json"})
    with urlopen(request, timeout=60) as reply:
        return json.load(reply)


# %% A list for a known viewer, with a rule
lists = send(
    "/recommendations", {"queries": [{"user": 1, "where": {"year": {"gte": 1990}}}], "k": 3}
)
print(json.dumps(lists, indent=2))

# %% A list for a new viewer, with reasons
print(send("/recommendations", {"queries": [{"history": [1, 480]}], "k": 3, "reasons": True}))

# %% Record an interaction: the reply means it is in the database; the next list leaves it out
best = send("/users/1/recommendations?k=1")
item = re.search(r'"item_id": (\d+)', json.dumps(best))
assert item is not None
send("/interactions", {"interactions": [{"user_id": 1, "item_id": int(item[1])}]})
assert f'"item_id": {item[1]},' not in json.dumps(send("/users/1/recommendations?k=3"))

# %% Stop the service with SIGTERM; it finishes the running requests
service.terminate()
print(f"exit code {service.wait(timeout=30)}")
service.stderr.close()
