# Every recipe is one command that also stands in CONTRIBUTING.md, for those who have no just.

# The main job in one terminal: server, simulated devices, one job over all of them.
demo:
    cargo run --release --locked -- demo

# A server on ./aldis-data.
serve:
    cargo run --release --locked -- serve

# Everything that is tested, with what the tests need.
test:
    scripts/test

# What has to be green before a change lands.
ci:
    .ci/run

# Lints as errors.
lint:
    cargo clippy --locked --workspace --all-targets -- -D warnings

# Put the code into shape.
fmt:
    cargo fmt --all

# The table of states and events, written anew from the code.
bless:
    ALDIS_BLESS=1 cargo test --locked -p aldis-core --test state_machine_table

# Figures of docs/benchmarks.md.
bench SCENARIO *ARGS:
    cargo run --release --locked -- bench {{SCENARIO}} {{ARGS}}

# Aldis beside Mosquitto with a controller (needs the program mosquitto).
compare *ARGS:
    cargo build --release --locked -p aldis -p aldis-compare
    target/release/against-mosquitto {{ARGS}}

# Licences, sources and known faults of dependencies (needs cargo-deny).
deny:
    cargo deny --locked check

# The code's own documentation.
doc:
    cargo doc --locked --workspace --no-deps --open

# One history of the simulation again, shrunk if it fails.
sim SEED:
    cargo run --release --locked -p aldis-tests --bin simulate -- {{SEED}}

# Whether the simulation finds faults: one rule of the code is broken at a time.
mutants *NAMES:
    scripts/mutants {{NAMES}}

# The program killed again and again under load.
crash *ARGS:
    cargo build --locked -p aldis -p aldis-tests --bins
    target/debug/crash {{ARGS}}

# Histories of the simulation that have not been played before. CI plays fixed ones, so that a red run repeats.
sims-fresh COUNT="200":
    cargo run --release --locked -p aldis-tests --bin simulate -- --fresh --count {{COUNT}}

# Many histories of the simulation.
sims COUNT FIRST="1":
    cargo run --release --locked -p aldis-tests --bin simulate -- {{FIRST}} --count {{COUNT}}
