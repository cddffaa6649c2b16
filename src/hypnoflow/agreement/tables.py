"""The tables that a shard's agreement is written as: who gathers them needs no more of the stage than this."""

ENDS = {"table": ".parquet"} | {name: f".{name}.parquet" for name in ("epochs", "consensus", "events", "truth")}
