# %% [markdown]
# # Neural models, and a cascade of two stages
# The settings are small, so that the whole file takes seconds: it shows how to use the models. The
# figures are of 200 viewers and a few epochs, and say nothing about the models at full size.

# %% The first 200 viewers of the film sample; the last rating of each is held out
import tempfile
from pathlib import Path

import shortlist as sl
from shortlist.data.samples import sample_paths

sample = sample_paths()
films = sl.Dataset.from_tables(
    sample.ratings, users=sample.users, items=sample.items, weight="rating", time="rated_at"
)
data = films.select(films.user_rows < 200)
train, test = sl.split.leave_last_out(data)

# %% GMF learns from interactions and random negatives; its history has a row per epoch
gmf = sl.GMF(embedding_size=8, epochs=4, seed=0).fit(train)
print(gmf.history.to_pandas())

# %% Two towers also read features: one vector for a viewer, one for a film
towers = sl.Retrieval(embedding_size=8, epochs=3, seed=0).fit(train)

# %% A cascade: models that find candidates, and a ranker that learns to order them
cascade = sl.Cascade(stages=["UserCosine", "ItemCosine"], ranker="linear", rounds=2, seed=0)
cascade.fit(train)
print(cascade.handover(test))  # what each stage finds, and what re-ranking gains

# %% All of them on the same viewers: full catalogue, with intervals
reports = [sl.evaluate(model, train, test, k=10) for model in (gmf, towers, cascade)]
for report in reports:
    low, high = report.interval("ndcg@10")
    print(f"{report.model:<10} ndcg@10 {report['ndcg@10']:.4f} [{low:.4f}, {high:.4f}]")

# %% Training resumes exactly where it stopped; a bundle needs no torch to recommend
gmf.resume(2)
assert gmf.history.num_rows == 6
folder = Path(tempfile.mkdtemp())
gmf.save(folder / "gmf")
again = sl.load(folder / "gmf")
assert again.recommend([1], k=5).column("item_id") == gmf.recommend([1], k=5).column("item_id")

# %% A new viewer: the towers use a history, features, or both
print(towers.recommend(queries=[sl.Query(history=[1, 480])], k=5).to_polars())
