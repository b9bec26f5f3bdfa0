# The service as one static binary, with Tesseract beside it for scanned pages, run by an ordinary user.
# Postgres is not in it: give DATABASE_URL, or use docker-compose.yml.

ARG BUILD_IMAGE=golang:1.26-bookworm
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/bin/ragify ./cmd/ragify
# The first conversion compiles the engine, which takes seconds: do it here, once.
RUN mkdir -m 0700 /out/cache && mkdir -m 0755 /out/data && \
    ENGINE_CACHE_DIR=/out/cache /out/bin/ragify parse -f text cmd/ragify/demo/report.pdf >/dev/null

FROM ${BASE_IMAGE}
# The languages that scanned pages can be read in beside English, by their names in ocr_languages and separated by spaces:
# --build-arg OCR_LANGUAGES="deu fra chi_sim". Each takes 1 to 15 MB.
ARG OCR_LANGUAGES=""
RUN apt-get update -q && \
    apt-get install -q -y --no-install-recommends ca-certificates tzdata tesseract-ocr \
      $(for l in ${OCR_LANGUAGES}; do echo "tesseract-ocr-$(echo $l | tr '_A-Z' '-a-z')"; done) && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/*
COPY --from=build /out/bin/ragify /usr/local/bin/ragify
COPY --from=build --chown=65532:65532 /out/cache /var/cache/ragify
COPY --from=build --chown=65532:65532 /out/data /var/lib/ragify
ENV PATH=/usr/local/bin:/usr/bin:/bin \
    DATA_DIR=/var/lib/ragify \
    ENGINE_CACHE_DIR=/var/cache/ragify
USER 65532:65532
VOLUME /var/lib/ragify
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s CMD ["ragify", "health"]
ENTRYPOINT ["ragify"]
CMD ["serve"]
