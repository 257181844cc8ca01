"""The queries, once, as data: what to group by and which aggregates of which columns. Every engine translates these."""

from typing import NamedTuple


class Query(NamedTuple):
    by: str
    aggregates: list[tuple[str, str]]  # (function, column), in the order of the result's columns
    about: str

    @property
    def columns(self) -> list[str]:
        """The columns that have to be read, each once."""
        return list(dict.fromkeys([self.by] + [column for _, column in self.aggregates]))


QUERIES = {
    "mean_v3_by_id1": Query("id1", [("mean", "v3")], "100 groups, short text keys, one float"),
    "sum_v1_by_id1": Query("id1", [("sum", "v1")], "100 groups, short text keys, one integer"),
    "mean_v3_by_id3": Query("id3", [("mean", "v3")], "many groups (rows/100), longer text keys"),
    "max_v1_min_v2_by_id3": Query("id3", [("max", "v1"), ("min", "v2")], "many groups, two integers"),
    "mean_all_by_id4": Query("id4", [("mean", "v1"), ("mean", "v2"), ("mean", "v3")], "100 groups, integer keys"),
    "sum_all_by_id6": Query("id6", [("sum", "v1"), ("sum", "v2"), ("sum", "v3")], "many groups, integer keys"),
}
