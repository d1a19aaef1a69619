"""A synthetic shop: an export of orders as tills write it, with guests, returns and mixed dates."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa

from shortlist.data.samples.csv_files import write_tables
from shortlist.errors import InputError

_AISLES = {
    "tea": ("Tea", "Coffee", "Cocoa", "Teapot"),
    "bread": ("Loaf", "Roll", "Baguette", "Flour"),
    "garden": ("Seeds", "Pot", "Spade", "Twine"),
    "paper": ("Notebook", "Pencil", "Envelope", "Card"),
    "kitchen": ("Bowl", "Pan", "Apron", "Whisk"),
}
_KINDS = ("Plain", "Blue", "Small", "Large", "Organic", "Striped")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_START = dt.date(2023, 1, 2)
_DAYS = 540
_TWICE = 4  # products that the list of products holds twice
MIN_CUSTOMERS = 10


def make_orders(n_customers: int = 300, *, seed: int = 0) -> tuple[pa.Table, pa.Table]:
    """Make the orders and the list of products of a synthetic shop.

    Customers buy mostly in two of five aisles. Guests have no id (null), returns a quantity below
    0, and dates one of three forms as text. A few products are listed twice.
    """
    if n_customers < MIN_CUSTOMERS:
        raise InputError(f"n_customers={n_customers} is below {MIN_CUSTOMERS}")
    rng = np.random.default_rng(seed)
    products = [
        (aisle, f"{kind} {noun.lower()}")
        for aisle, nouns in _AISLES.items()
        for noun in nouns
        for kind in _KINDS
    ]
    aisle_of = np.array([list(_AISLES).index(aisle) for aisle, _ in products])
    fame = rng.pareto(1.5, len(products)) + 0.3
    lines: list[tuple[int, int | None, int, int]] = []  # day, customer, product, quantity
    for customer in range(n_customers):
        likes = rng.choice(len(_AISLES), 2, replace=False)
        wanted = fame * np.where(np.isin(aisle_of, likes), 1.0, 0.03)
        n = min(3 + rng.poisson(9), len(products))
        bought = rng.choice(len(products), n, replace=False, p=wanted / wanted.sum())
        for product in bought.tolist():
            day, quantity = int(rng.integers(_DAYS)), int(rng.geometric(0.6))
            guest = rng.random() < 0.03
            lines.append((day, None if guest else 1000 + customer, product, quantity))
            if rng.random() < 0.03:
                back = min(day + int(rng.integers(1, 20)), _DAYS - 1)
                lines.append((back, None if guest else 1000 + customer, product, -1))
    lines.sort(key=lambda line: line[0])
    skus = [f"S{100 + n}" for n in range(len(products))]
    orders = pa.table(
        {
            "invoice": pa.array(range(5001, 5001 + len(lines))),
            "customer": pa.array([customer for _, customer, _, _ in lines], pa.int64()),
            "sku": [skus[product] for _, _, product, _ in lines],
            "product": [products[product][1] for _, _, product, _ in lines],
            "quantity": [quantity for _, _, _, quantity in lines],
            "date": [_written(day) for day, _, _, _ in lines],
        }
    )
    listed = [*range(len(products)), *range(_TWICE)]
    prices = np.round(rng.gamma(3.0, 2.0, len(products)) + 0.5, 2)
    catalogue = pa.table(
        {
            "sku": [skus[n] for n in listed],
            "product": [products[n][1] for n in listed],
            "aisle": [products[n][0] for n in listed],
            "price": [float(prices[n]) for n in listed],
        }
    )
    return orders, catalogue


def _written(day: int) -> str:
    """Return a day as one of three tills writes it: each was in use for a third of the time."""
    date = _START + dt.timedelta(days=day)
    month = _MONTHS[date.month - 1]
    forms = (f"{date}", f"{date:%d/%m/%Y}", f"{date.day:02d} {month} {date.year}")
    return forms[day * len(forms) // _DAYS]


def generate_orders(folder: str | Path, n_customers: int = 300, *, seed: int = 0) -> Path:
    """Write the synthetic shop as ``orders.csv`` and ``products.csv``, and return the folder.

    See :func:`make_orders` for the columns. The same seed writes the same bytes.
    """
    orders, products = make_orders(n_customers, seed=seed)
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    write_tables(folder, {"orders": orders, "products": products})
    return folder
