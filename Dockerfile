# docker build -t phoenix-proxy .
# docker run --rm -p 80:80 -p 8443:8443 -v /etc/traefik:/etc/traefik:ro phoenix-proxy
#
# With host networking, or for a static file elsewhere: … phoenix-proxy run --config /path/traefik.yml

FROM node:26-trixie-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

# The image's own Node serves: the pinned one, an optional dependency, would be a second copy.
FROM node:26-trixie-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional

FROM node:26-trixie-slim
WORKDIR /app
ENV NODE_ENV=production
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE README.md ./
COPY bin ./bin
COPY config ./config
# Docker lets every user bind ports below 1024 (net.ipv4.ip_unprivileged_port_start=0 in its containers).
USER node
EXPOSE 80 8443 8080
# Wants `ping: {}` in the static file, which answers on the entry point `traefik` (:8080).
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/ping').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/app/bin/proxy"]
CMD ["run"]
