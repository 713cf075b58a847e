-- What devices report about themselves: the latest value of each measurement point (kind 0), attribute (1) and tag (2).
CREATE TABLE reported (
    device INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (device, kind, name)
) STRICT, WITHOUT ROWID;
