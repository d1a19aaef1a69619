"""A fitted model on disk: arrays, tables and a manifest in one folder, none of which can run code.

::

    bundle/
      manifest.json          format, versions, model, settings, data, metrics, a hash of each file
      arrays.safetensors     the learned arrays
      learned.NAME.parquet   a learned table, one file per field; the fields of a model within a
                             model are named NAME.0, NAME.1, ...
      users.parquet          ids and features, in the order of the rows
      items.parquet
      interactions.parquet   the training interactions, coded as rows; needed to exclude seen items
      history.parquet        training metrics, one row per epoch

This package knows no models: the caller passes the function that finds a model's class.
"""

from shortlist.bundle.manifest import FORMAT, MANIFEST, Manifest, read_manifest
from shortlist.bundle.parts import Storable, identity
from shortlist.bundle.storage import ARRAYS, read, require_target, save

__all__ = [
    "ARRAYS",
    "FORMAT",
    "MANIFEST",
    "Manifest",
    "Storable",
    "identity",
    "read",
    "read_manifest",
    "require_target",
    "save",
]
