"""Values of tables as JSON can hold them."""

from __future__ import annotations

import datetime as dt
import json
import math
from decimal import Decimal
from typing import Any


def plain_value(value: Any) -> Any:
    """Give a cell of an Arrow table as JSON can hold it: dates as ISO text, NaN as null.

    Examples
    --------
    >>> plain_value([dt.date(2024, 5, 31), float("nan"), Decimal("1.5")])
    ['2024-05-31', None, 1.5]
    """
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            return value.total_seconds()
        case Decimal():
            return plain_value(float(value))
        case bytes():
            return value.hex()
        case list() | tuple():
            return [plain_value(one) for one in value]
        case dict():
            return {str(name): plain_value(one) for name, one in value.items()}
        case _:
            return value


def json_bytes(content: Any) -> bytes:
    """Write JSON without blanks, as UTF-8; what is not finite is an error.

    Examples
    --------
    >>> json_bytes({"title": "용접", "score": 1.5}).decode()
    '{"title":"용접","score":1.5}'
    """
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace")
