# One image for every process of the project; the command is the bundle to run. glibc only, since uWebSockets.js has no
# binary for musl; the pinned release wants 2.27 or newer. Releases from 20.52 on want glibc 2.38: node:22-trixie-slim.
ARG NODE_IMAGE=node:22-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
# Before the sources, so that these layers are built anew only when a dependency changes.
COPY package.json package-lock.json ./
COPY patches patches
RUN --mount=type=cache,target=/root/.npm npm ci --no-audit --no-fund --no-update-notifier
# What the bundles leave outside (stack/commands/bundle-options.ts) or read as files: native binaries, and the two assets of Swagger UI.
RUN mkdir /runtime && cp -r --parents -t /runtime \
      node_modules/uWebSockets.js node_modules/@uwsjs \
      node_modules/@node-rs/argon2 node_modules/@node-rs/argon2-linux-*-gnu* \
      node_modules/swagger-ui-dist/package.json node_modules/swagger-ui-dist/LICENSE \
      node_modules/swagger-ui-dist/swagger-ui-bundle.js node_modules/swagger-ui-dist/swagger-ui.css
COPY tsconfig.json ./
COPY stack/commands/build.ts stack/commands/bundle-options.ts stack/commands/
COPY stack/plan/layout.ts stack/plan/
COPY proto/generated proto/generated
COPY lib lib
COPY drizzle drizzle
COPY domain domain
COPY jobs jobs
COPY workers workers
COPY gateway gateway
COPY functions functions
RUN node stack/commands/build.ts

FROM ${NODE_IMAGE}
WORKDIR /app
# A new volume takes over this folder's owner and mode, so the jobs that fill it need no privilege.
RUN install -d -o node -g node -m 750 /secrets
COPY package.json ./
COPY --from=build /runtime/node_modules node_modules
COPY --chmod=755 docker/entrypoint.sh docker/healthcheck.sh /usr/local/bin/
COPY --from=build /app/dist dist
ENV NODE_ENV=production HOST=0.0.0.0 INTERNAL_PORT=9090
USER node
ENTRYPOINT ["entrypoint.sh"]
