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
# Where the control socket is: `docker exec CONTAINER proxy status` finds it.
ENV RUNTIME_DIRECTORY=/run/phoenix-proxy
RUN mkdir /run/phoenix-proxy && chown node:node /run/phoenix-proxy && ln -s /app/bin/proxy /usr/local/bin/proxy
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE README.md ./
COPY bin ./bin
COPY config ./config
# Docker lets every user bind ports below 1024 (net.ipv4.ip_unprivileged_port_start=0 in its containers).
USER node
EXPOSE 80 8443 8080
# Healthy: at least one worker serves.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/app/bin/proxy", "status"]
STOPSIGNAL SIGTERM
# No shell between: the signal reaches the proxy (bin/proxy replaces itself).
ENTRYPOINT ["/app/bin/proxy"]
CMD ["run"]
