-- Signatures of calls that were used, so that none is carried out twice. The key begins with the moment that the caller named,
-- which is close to the present: rows come in nearly sorted, and those that are over lie together.
CREATE TABLE proof (
    at INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (at, digest)
) STRICT, WITHOUT ROWID;
