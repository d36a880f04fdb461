# Batch jobs on a CPU. PIP_ARGS names the index of torch's CPU build (README, "Install"):
#   docker build --build-arg PIP_ARGS="--extra-index-url URL" --tag recsparse .
#   docker run --rm --user "$(id -u)" --volume "$PWD:/data" recsparse train dataset --out model
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends g++
WORKDIR /source
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY recsparse recsparse
RUN pip wheel --no-deps --wheel-dir /wheels .

FROM python:${PYTHON}-slim
ARG PIP_ARGS=""
COPY constraints.txt /wheels/
# A wheel without compiled kernels is called "any", and is not found here.
COPY --from=build /wheels/recsparse-*-linux_*.whl /wheels/
RUN pip install --no-cache-dir --constraint /wheels/constraints.txt ${PIP_ARGS} /wheels/*.whl
# The user may be any, who has no home and no name here.
ENV HOME=/tmp USER=recsparse
USER 1000:1000
WORKDIR /data
ENTRYPOINT ["recsparse"]
CMD ["--help"]
