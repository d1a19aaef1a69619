# %% [markdown]
# # Settings, and the model itself, chosen honestly
# The test is put away first. Everything that chooses looks at folds of the rest.

# %% Films of 200 viewers; the last rating of each is the test
import tempfile
from pathlib import Path

import shortlist as sl
from shortlist.data.samples import sample_paths
from shortlist.tuning import Chosen

sample = sample_paths()
films = sl.Dataset.from_tables(sample.ratings, items=sample.items, weight="rating", time="rated_at")
data = films.select(films.user_rows < 200)
train, test = sl.split.leave_last_out(data)
folder = Path(tempfile.mkdtemp())

# %% A search that a kill cannot hurt: run this cell again and it goes on from the file
study = folder / "itemcosine.study"
sl.tune("ItemCosine", train, trials=4, study=study, seed=0, check=False)
tuning = sl.tune("ItemCosine", train, trials=8, study=study, seed=0)
print(tuning)  # with the check on a fold that the search has not seen

# %% What `shortlist fit --config` takes
tuning.save(folder / "itemcosine.json")
model = Chosen.read(folder / "itemcosine.json").make().fit(train)
print(model, sl.evaluate(model, train, test)["ndcg@10"])

# %% Which model at all? Ties go to the simpler one; the reason is a sentence
choice = sl.auto(train, models=["Popularity", "UserCosine", "ItemCosine"], trials=5, seed=0)
print(choice)

# %% The figure to report is of the test, which chose nothing
chosen = sl.evaluate(choice.model, train, test)
low, high = chosen.interval("ndcg@10")
print(f"{chosen.model}: ndcg@10 {chosen['ndcg@10']:.4f} [{low:.4f}, {high:.4f}] on the test")
