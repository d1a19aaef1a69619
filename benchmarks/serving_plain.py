"""A plain FastAPI service around `implicit`: one endpoint, one process.

``serving_load.py`` compares it with ours, with the same vectors, users and titles.

    python benchmarks/serving_plain.py FOLDER PORT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import uvicorn
from fastapi import FastAPI, HTTPException
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix, load_npz
from threadpoolctl import threadpool_limits

folder = Path(sys.argv[1])
interactions = csr_matrix(load_npz(folder / "interactions.npz"))  # users by items
titles: list[str] = json.loads((folder / "titles.json").read_text("utf-8"))

model = AlternatingLeastSquares(factors=64)
model.user_factors = np.load(folder / "users.npy")
model.item_factors = np.load(folder / "items.npy")

app = FastAPI()


@app.get("/users/{user_id}/recommendations")
def recommendations(user_id: int, k: int = 10) -> dict[str, object]:
    if not 0 <= user_id < interactions.shape[0]:
        raise HTTPException(404, "unknown user")
    items, scores = model.recommend(user_id, interactions[user_id], N=k)
    return {
        "user_id": user_id,
        "items": [
            {"item_id": int(item), "rank": rank, "score": float(score), "title": titles[item]}
            for rank, (item, score) in enumerate(zip(items, scores, strict=True), start=1)
        ],
    }


if __name__ == "__main__":
    threadpool_limits(1, "blas")  # as `implicit` recommends: requests already run in parallel
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
