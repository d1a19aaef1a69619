# %% [markdown]
# # Job postings: an unseen résumé in, eligible postings out
# The data is synthetic, in the form of the DACON 236170 competition.

# %% Seven CSV files become a database with keys and checks, and that becomes a data set
import tempfile
from pathlib import Path

import shortlist as sl
from shortlist.data.samples import generate_jobs

folder = Path(tempfile.mkdtemp())
generate_jobs(folder / "tables", n_resumes=1500, n_postings=1200, seed=0)
with sl.Store.create(folder / "jobs.duckdb", "jobs") as store:
    print(store.load(folder / "tables"))
    data = store.dataset()

# %% There are no times: hold out a random application of each résumé
train, test = sl.split.leave_last_out(data, order="random")
print(sl.compare([sl.Popularity(), sl.UserCosine(), sl.Hybrid()], train, test, k=(5, 10)))

# %% A known résumé, and a new one without applications: the same call
hybrid = sl.Hybrid().fit(data)
print(hybrid.recommend(["U00001"], k=5).to_polars())

assert data.user_features is not None
resume = {"degree": 4, "keywords": data.user_features["keywords"][0].as_py()}
newcomer = sl.Query(features=resume, where={"education": {"lte": 2}})
lists = hybrid.recommend(queries=[newcomer], k=5)
print(lists.to_polars())

# %% Reasons that add up to the score
print(hybrid.explain(None, lists.column("item_id")[0], query=newcomer))

# %% The other way round: candidates for a posting
print(hybrid.audience(["R00001"], k=5).to_polars())

# %% On disk, and back, without the training data
hybrid.save(folder / "bundle")
again = sl.load(folder / "bundle").recommend(queries=[newcomer], k=5)
assert again.to_arrow().equals(lists.to_arrow())
