# %% [markdown]
# # Neural models beside plain ones, and two stages in one
# Small settings, so that the whole file takes seconds: what it shows is the shape of the work. The
# figures are those of 200 viewers and a few epochs, and say nothing about the models at full size.

# %% The first 200 viewers of the film sample; everybody's last rating is held out
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

# %% GMF learns from choices and drawn negatives; every epoch leaves a row of figures
gmf = sl.GMF(embedding_size=8, epochs=4, seed=0).fit(train)
print(gmf.history.to_pandas())

# %% Two towers read features, too: one vector for a viewer, one for a film
towers = sl.Retrieval(embedding_size=8, epochs=3, seed=0).fit(train)

# %% A cascade: models that find candidates, and a ranker that learned to order them
cascade = sl.Cascade(stages=["UserCosine", "ItemCosine"], ranker="linear", rounds=2, seed=0)
cascade.fit(train)
print(cascade.handover(test))  # what each stage brings, and what the ranker makes of it

# %% All of them on the same people: full catalogue, intervals, paired tests
reports = [sl.evaluate(model, train, test, k=10) for model in (gmf, towers, cascade)]
for report in reports:
    low, high = report.interval("ndcg@10")
    print(f"{report.model:<10} ndcg@10 {report['ndcg@10']:.4f} [{low:.4f}, {high:.4f}]")

# %% Training goes on where it stopped, to the bit; a bundle needs no torch to answer
gmf.resume(2)
assert gmf.history.num_rows == 6
folder = Path(tempfile.mkdtemp())
gmf.save(folder / "gmf")
again = sl.load(folder / "gmf")
assert again.recommend([1], k=5).column("item_id") == gmf.recommend([1], k=5).column("item_id")

# %% Somebody new: the towers take what is known of them, be it choices or features
print(towers.recommend(queries=[sl.Query(history=[1, 480])], k=5).to_polars())
