# Build stage: compiles librdkafka and links it with the system's OpenSSL.
FROM rust:1.95-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ libssl-dev make pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin tidemark \
    && cp target/release/tidemark /usr/local/bin/tidemark

# Runtime stage: the binary, OpenSSL and root certificates. Time zones are built into the binary.
FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl libssl3 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /nonexistent tidemark
COPY --from=build /usr/local/bin/tidemark /usr/local/bin/tidemark
USER 10001
# `process` and `serve` answer /healthz on their metrics listeners, each on its own port.
HEALTHCHECK --interval=10s --timeout=5s --retries=6 CMD \
    curl --fail --silent --output /dev/null http://localhost:9464/healthz \
    || curl --fail --silent --output /dev/null http://localhost:9465/healthz
ENTRYPOINT ["tidemark"]
CMD ["--help"]
