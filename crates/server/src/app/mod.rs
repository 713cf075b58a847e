//! What callers want, one file per intent: authorize, validate against `core`, one commit.
