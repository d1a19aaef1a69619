# %% [markdown]
# # Tune settings and select a model
# The test is set aside first. Tuning and selection use folds of the rest only.

# %% Films of 200 viewers; the last rating of each is the test
import tempfile
from pathlib import Path

import shortlist as sl
from shortlist.data.samples import sample_paths
from shortlist.tuning import SettingsFile

sample = sample_paths()
films = sl.Dataset.from_tables(sample.ratings, items=sample.items, weight="rating", time="rated_at")
data = films.select(films.user_rows < 200)
train, test = sl.split.leave_last_out(data)
folder = Path(tempfile.mkdtemp())

# %% A search that survives a kill: run this cell again and it resumes from the file
study = folder / "itemcosine.study"
sl.tune("ItemCosine", train, trials=4, study=study, seed=0, check=False)
tuning = sl.tune("ItemCosine", train, trials=8, study=study, seed=0)
print(tuning)  # includes the check on an unseen fold

# %% The settings file that `shortlist fit --config` reads
tuning.save(folder / "itemcosine.json")
model = SettingsFile.read(folder / "itemcosine.json").make().fit(train)
print(model, sl.evaluate(model, train, test)["ndcg@10"])

# %% Which model at all? Ties go to the simpler model; the reason is in a sentence
choice = sl.auto(train, models=["Popularity", "UserCosine", "ItemCosine"], trials=5, seed=0)
print(choice)

# %% Report the figure of the test, which no decision has used
report = sl.evaluate(choice.model, train, test)
low, high = report.interval("ndcg@10")
print(f"{report.model}: ndcg@10 {report['ndcg@10']:.4f} [{low:.4f}, {high:.4f}] on the test")
