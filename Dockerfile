# Builds the server and puts nothing beside it.
#
#   docker build -t sockudo-kv .
#   docker run -p 6379:6379 sockudo-kv --requirepass secret
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin sockudo-kv && strip target/release/sockudo-kv

FROM debian:bookworm-slim
RUN useradd --system --no-create-home sockudo && install -d -o sockudo -g sockudo /data
COPY --from=build /src/target/release/sockudo-kv /usr/local/bin/sockudo-kv
USER sockudo
WORKDIR /data
EXPOSE 6379
# Who reaches the port must know a password, because protected mode stays on.
ENTRYPOINT ["sockudo-kv", "--bind", "*", "-::*"]
