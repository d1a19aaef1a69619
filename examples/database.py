# %% [markdown]
# # Tables in a database, lists back into it, every night
# It uses SQLite, so that the file runs anywhere; with `postgresql://me@host/shop` as the path, the
# rest is the same. Needs the extra `sql`.

# %% A shop with its own table of orders
import sqlite3
import tempfile
from pathlib import Path

import numpy as np

import shortlist as sl

folder = Path(tempfile.mkdtemp())
shop, bundle = folder / "shop.sqlite", folder / "bundle"


def sell(first: int, count: int) -> None:
    """Add orders as the shop would; the order of a number is always the same."""
    rng = np.random.default_rng(first)
    orders = [
        (number, f"c{rng.integers(40)}", int(rng.geometric(0.08)))
        for number in range(first, first + count)
    ]
    with sqlite3.connect(shop) as database:
        database.execute(
            "CREATE TABLE IF NOT EXISTS orders (no INTEGER, customer TEXT, sku INTEGER)"
        )
        database.executemany("INSERT INTO orders VALUES (?, ?, ?)", orders)
    database.close()


sell(1, 800)
sl.Store.create(shop, "runs").close()  # adds the tables for the lists only


# %% One night: read the new rows, fit, write all lists and the last order that was read
def night(earlier: sl.Dataset | None) -> sl.Dataset:
    """Do the work of one night; ``earlier`` data need not be read again."""
    with sl.Store(shop) as store:
        pull = store.pull("orders", by="no", user_id="customer", item_id="sku", earlier=earlier)
        model = sl.ItemCosine().fit(pull.data)
        lists = model.recommend(k=5)
        run = store.write(lists.table, **lists.run, mark=pull.mark)  # one transaction
    model.save(bundle)
    print(f"run {run}: {pull.new} rows read, {pull.missed} missed, {len(lists)} rows written")
    return pull.data


night(None)
sell(801, 50)
tonight = night(sl.load(bundle).data)

# %% The data is the same as after reading everything
with sl.Store(shop, read_only=True) as store:
    assert (
        store.dataset("orders", user_id="customer", item_id="sku").fingerprint
        == tonight.fingerprint
    )

# %% Readers of the database see complete runs only
with sqlite3.connect(shop) as database:
    query = "SELECT run_id, count(DISTINCT user_id), count(*) FROM recommendations GROUP BY run_id"
    print(database.execute(query).fetchall())
database.close()

# %% [markdown]
# The same from the shell, in one line of a crontab:
# `shortlist fit shop.sqlite --interactions orders --user-id customer --item-id sku --by no --since
# bundle --model ItemCosine --out bundle && shortlist recommend bundle --out shop.sqlite`
