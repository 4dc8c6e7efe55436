# One image for the dashboard and the workers: `docker compose up`, or run either command by itself.
FROM python:3.12-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    SLIM_HOME=/var/slim \
    SLIM_DATA_ROOTS=/data

WORKDIR /opt/slim
COPY requirements.txt constraints.txt ./
RUN pip install -r requirements.txt "psycopg[binary]>=3.2,<4" -c constraints.txt
COPY . .
RUN pip install --no-deps -e . \
    && useradd --system --create-home --uid 1000 slim \
    && mkdir -p /var/slim /data \
    && chown slim /var/slim
USER 1000
VOLUME ["/var/slim"]
EXPOSE 8501
# Listening beyond this container needs sign-in, or SLIM_ALLOW_WITHOUT_SIGN_IN=true (README, "For a team").
CMD ["streamlit", "run", "app/main.py", "--server.address=0.0.0.0"]
