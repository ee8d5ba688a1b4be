# syntax=docker/dockerfile:1
# The image of the router, for router.yaml or any other place that runs containers. What it holds
# is built before:
#
#   cargo xtask guests && cargo build --release --bin sandgate
#   docker build -f lambda-image/deploy/router.Dockerfile .
#
# The base has to be as new as the machine that built the program.
ARG BASE_IMAGE=docker.io/library/debian:bookworm-slim
FROM ${BASE_IMAGE}
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY target/release/sandgate /usr/local/bin/sandgate
COPY target/guests /usr/local/share/sandgate/guests
ENV SANDGATE_GUESTS=/usr/local/share/sandgate/guests \
    SANDGATE_DATA_DIR=/var/lib/sandgate
# Compiled here, so that a task is ready at once.
RUN sandgate runtimes > /dev/null && chown -R 65534:65534 /var/lib/sandgate
USER 65534:65534
EXPOSE 8080
ENTRYPOINT ["sandgate"]
CMD ["serve", "--listen", "0.0.0.0:8080"]
