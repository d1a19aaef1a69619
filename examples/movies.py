# %% [markdown]
# # Films: from ratings to everyone's list
# Each cell runs on its own in an editor that knows `# %%`; the whole file runs as a script.

# %% The bundled sample: 100,004 ratings of 9,066 films by 671 viewers (MovieLens)
import shortlist as sl
from shortlist.data.samples import sample_paths

sample = sample_paths()
data = sl.Dataset.from_tables(
    sample.ratings, users=sample.users, items=sample.items, weight="rating", time="rated_at"
)
print(data)

# %% Hold out each viewer's last rating, and see which model finds it
train, test = sl.split.leave_last_out(data)
print(sl.compare([sl.Popularity(), sl.UserCosine(), sl.ItemCosine(), sl.EASE()], train, test))

# %% ItemCosine is as good as the best, and fast: fit it on all data, list films from 1990 on
model = sl.ItemCosine().fit(data)
lists = model.recommend([1, 2], k=5, where="year >= 1990")
print(lists.to_polars())

# %% Why is the first film on the list?
user, item = lists.column("user_id")[0], lists.column("item_id")[0]
print(model.explain(user, item))

# %% A new viewer who liked Toy Story (1) and Jurassic Park (480)
print(model.recommend(queries=[sl.Query(history=[1, 480])], k=5).to_polars())

# %% Films like Toy Story, and the viewers it suits best
print(model.similar([1], k=5).to_polars())
print(model.audience([1], k=5).to_polars())
