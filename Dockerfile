# The service alone: no compiler, no torch. The doctor compiles most kernels while the image is built; the
# few others are compiled when a bundle is loaded.
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --constraint constraints.txt '.[serve,sql]'

FROM python:3.12-slim
RUN useradd --uid 10001 --create-home shortlist
COPY --from=build /venv /venv
USER shortlist
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 NUMBA_CACHE_DIR=/home/shortlist/kernels
RUN shortlist doctor
EXPOSE 8000
VOLUME /bundles
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["shortlist"]
CMD ["serve", "/bundles/bundle", "--host", "0.0.0.0", "--port", "8000"]
