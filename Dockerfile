# The image holds one static binary. Root certificates and time zones are
# embedded in it, so that nothing else is needed.
ARG GO_VERSION=1.26
FROM golang:${GO_VERSION} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# As `make build` does it.
RUN CGO_ENABLED=0 go build -pgo=cmd/gatehouse/release.pgo -tags grpcnotrace -trimpath -ldflags='-s -w' -o /gatehouse ./cmd/gatehouse

FROM scratch
COPY --from=build /gatehouse /gatehouse
# The Go runtime is told of nine tenths of the container's memory limit, unless
# GOMEMLIMIT is set.
# A user without a name or a home. The root file system can be read-only: the
# gateway writes its log, to standard output, and where routes take uploads the
# files on their way, to spool.folder. Mount a folder for them at /tmp (tmpfs is
# memory), or wherever spool.folder says.
USER 65532:65532
EXPOSE 8443 8080
ENTRYPOINT ["/gatehouse"]
CMD ["serve", "-c", "/etc/gatehouse/gatehouse.yaml"]
