# %% [markdown]
# # A service, asked from Python
# Needs the extra `serve` for the service; whoever asks needs nothing but HTTP and JSON.

# %% A bundle, and the service in a process of its own, on a free port
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
found = (re.search(r"http://[\d.]+:\d+", line) for line in service.stderr)
address = next(one.group() for one in found if one)  # it says where it is once it listens
print(address)


def ask(path: str, body: dict[str, Any] | None = None) -> Any:
    """Ask the service: GET, or POST where there is a body."""
    sent = None if body is None else json.dumps(body).encode()
    request = Request(f"{address}{path}", sent, {"Content-Type": "application/json"})
    with urlopen(request, timeout=60) as reply:
        return json.load(reply)


# %% A known viewer, under a rule
lists = ask(
    "/recommendations", {"queries": [{"user": 1, "where": {"year": {"gte": 1990}}}], "k": 3}
)
print(json.dumps(lists, indent=2))

# %% Somebody new, with reasons
print(ask("/recommendations", {"queries": [{"history": [1, 480]}], "k": 3, "reasons": True}))

# %% They choose a film: it is on disk when the service replies, and off their next list
best = ask("/users/1/recommendations?k=1")
item = re.search(r'"item_id": (\d+)', json.dumps(best))
assert item is not None
ask("/interactions", {"interactions": [{"user_id": 1, "item_id": int(item[1])}]})
assert f'"item_id": {item[1]},' not in json.dumps(ask("/users/1/recommendations?k=3"))

# %% SIGTERM lets it finish what is under way
service.terminate()
print(f"ended with {service.wait(timeout=30)}")
service.stderr.close()
