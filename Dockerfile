# docker build -t fmsr .
# docker build -t fmsr:cuda --build-arg CUDA=1 .        # with the CUDA libraries and fmsr's CUDA kernels, for --gpus all
# docker run --rm -v "$PWD:/work" fmsr run /opt/fmsr/specs/demo.yaml
ARG GO=1.26.8
FROM golang:${GO}-bookworm AS build
ARG CUDA=0
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN CUDA=$CUDA .ci/bundle /opt/fmsr && cp -r specs testdata LICENSE /opt/fmsr/

FROM debian:bookworm-slim
COPY --from=build /opt/fmsr /opt/fmsr
ENV PATH=/opt/fmsr/bin:$PATH NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /work
ENTRYPOINT ["fmsr"]
CMD ["help"]
