# One image for validator, full node and relayer: the command says which.
#   docker build -t causeway .
#   docker run --read-only -v causeway-data:/data causeway node run --config /data/node.toml
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# python3, make and g++ compile a native library where it ships no binary for the platform.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends python3 make g++ \
  && rm -rf /var/lib/apt/lists/* \
  && npm install --no-save --omit=dev --no-audit --no-fund
COPY consensus consensus
COPY bridge bridge
COPY genesis genesis
COPY node node
COPY cli cli
COPY configs configs

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app /app
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
# p2p, JSON-RPC, relayer exchange
EXPOSE 26656 8545 8601
ENTRYPOINT ["node", "/app/cli/main.ts"]
CMD ["--help"]
