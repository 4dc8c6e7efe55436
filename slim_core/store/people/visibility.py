"""What a person is shown of the database: every statement of ``Database.seen_by(who)`` is narrowed here, and only here.

A private data set is there for its owner, for admins and for whom it is shared with; a private campaign in the same
way. For everybody else no row of them exists: a SELECT finds the tables of its name without these rows (a WITH clause
of that name stands before the table), what locks, changes or removes rows passes them over. So no query of the store
has to think of it, and none can forget it; a table that ``RULES`` does not name cannot be read at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql import visitors
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import CTE

from slim_core.errors import SlimError
from slim_core.store import schema

READER, EVERYTHING = "slim_reader", "slim_everything"  # execution options
SHARED_ROLES = ("annotator", "lead")  # a role stands for those who have it or a higher one; admins see all

_DATASETS, _CAMPAIGNS = "({datasets})", "({campaigns})"  # to be filled in: queries of the ids that are hidden
_OF_DATASET, _OF_CAMPAIGN = f"dataset_id NOT IN {_DATASETS}", f"campaign_id NOT IN {_CAMPAIGNS}"
_ALL = "1 = 1"


def _within(column: str, table: str) -> str:
    """Not of what ``table`` has of hidden data sets."""
    return f"{column} NOT IN (SELECT id FROM {{schema}}.{table} WHERE dataset_id IN {_DATASETS})"


_OF_RUN = _within("run_id", "runs")
_OF_SUBJECT = f"subject NOT IN {_DATASETS} AND subject NOT IN {_CAMPAIGNS} AND {_within('subject', 'runs')}"
RULES: Mapping[str, str] = {  # table -> which of its rows a person is shown
    "datasets": f"id NOT IN {_DATASETS}",
    "runs": _OF_DATASET,
    "run_parents": _OF_RUN,
    "campaigns": f"id NOT IN {_CAMPAIGNS}",
    "items": _OF_CAMPAIGN,
    "leases": _OF_CAMPAIGN,
    "answers": _OF_CAMPAIGN,
    "current_answers": _OF_CAMPAIGN,
    "tags": _OF_DATASET,
    "filters": _OF_DATASET,
    "shapes": _OF_DATASET,
    "pipelines": _OF_DATASET,
    "pipeline_runs": _within("pipeline_id", "pipelines"),
    "notes": _OF_SUBJECT,
    "note_tags": _OF_SUBJECT,
    "shares": _OF_SUBJECT,
    "events": f"{_OF_SUBJECT} AND {_within('subject', 'pipelines')}",
    "members": _ALL,
    "workers": _ALL,
    "pauses": _ALL,
}

S = TypeVar("S", bound=sa.Select[Any])


def of_everybody(query: S) -> S:
    """A query that also counts what its reader is not shown, for facts of the machine: its result names no row."""
    return query.execution_options(**{EVERYTHING: True})


def narrow(connection: Connection, who: str) -> None:
    """At the begin of a transaction: where nothing is hidden from its reader, its statements run as they are."""
    anything = _anything(who, _schema_of(connection))
    if connection.execute(anything, execution_options={EVERYTHING: True}).first() is None:
        connection.execution_options(**{EVERYTHING: True})


def narrowed(
    connection: Connection,
    statement: Any,
    many: Any,
    params: Any,
    options: Mapping[str, Any],
) -> tuple[Any, Any, Any]:
    """The event ``before_execute`` of every engine: the statement as the reader of this connection may run it.

    Raises:
        SlimError: the statement is text, or reads a table without a rule.
    """
    who = options.get(READER)
    if who is None or options.get(EVERYTHING):
        return statement, many, params
    return _narrowed(statement, str(who), _schema_of(connection)), many, params


def _schema_of(connection: Connection) -> str:
    dialect = connection.dialect
    return str(dialect.identifier_preparer.quote(dialect.default_schema_name or "main"))


def _narrowed(statement: Any, who: str, schema_name: str) -> Any:
    if isinstance(statement, sa.Insert):  # into what was locked before, which only finds what is shown
        return statement
    if not isinstance(statement, sa.Select | sa.CompoundSelect | sa.Update | sa.Delete):
        raise SlimError(f"{type(statement).__name__} cannot be narrowed to what a person may see.")
    tables = sorted(_tables(statement))
    target = _target(statement)
    if target is not None and not isinstance(statement, sa.CompoundSelect):
        return statement.where(_where(target, who, schema_name))
    return statement.add_cte(*_hidden(who, schema_name), *(_shown(name, schema_name) for name in tables))


def _target(statement: Any) -> str | None:
    """The one table whose rows are locked, changed or removed: no WITH clause may stand for it."""
    if isinstance(statement, UpdateBase):
        return str(statement.table)
    if statement._for_update_arg is None:
        return None
    (table,) = map(str, statement.get_final_froms())  # rows of one table are locked at a time
    return table


def _tables(statement: Any) -> set[str]:
    """Names of all tables that a statement reads, also those of its subqueries."""
    found: set[str] = set()
    for element in visitors.iterate(statement):
        table = element if isinstance(element, sa.Table | sa.Alias) else getattr(element, "table", None)
        while isinstance(table, sa.Alias):
            table = table.element
        if isinstance(table, sa.Table):
            found.add(table.name)
    return found


def _rule(table: str, **parts: str) -> str:
    if table not in RULES:
        raise SlimError(f"The table {table} has no rule in {__name__} that says who may see what of it.")
    return RULES[table].format(**parts)


@lru_cache(maxsize=64)
def _shown(table: str, schema_name: str) -> CTE:
    """The rows of a table that are shown, under the table's own name."""
    parts = {"datasets": "SELECT id FROM hidden_datasets", "campaigns": "SELECT id FROM hidden_campaigns"}
    query = sa.text(f"SELECT * FROM {schema_name}.{table} WHERE {_rule(table, schema=schema_name, **parts)}")
    return query.columns().cte(table).prefix_with("NOT MATERIALIZED")  # so that its indexes serve


@lru_cache(maxsize=1_000)
def _hidden(who: str, schema_name: str) -> tuple[CTE, CTE]:
    """The ids of the data sets and of the campaigns that a person is not shown."""
    first, second = (sa.text(query).bindparams(slim_who=who).columns() for query in _queries(schema_name))
    return first.cte("hidden_datasets"), second.cte("hidden_campaigns")


@lru_cache(maxsize=10_000)
def _where(table: str, who: str, schema_name: str) -> sa.TextClause:
    """The rule as a condition alone: with a WITH clause, sqlite3 does not say how many rows an UPDATE has met."""
    datasets, campaigns = _queries(schema_name)
    rule = sa.text(_rule(table, schema=schema_name, datasets=datasets, campaigns=campaigns))
    return rule.bindparams(slim_who=who) if "slim_who" in rule.text else rule


@lru_cache(maxsize=1_000)
def _anything(who: str, schema_name: str) -> sa.TextClause:
    """A row where something is hidden from a person."""
    hidden = " UNION ALL ".join(f"SELECT 1 FROM ({query}) AS h" for query in _queries(schema_name))
    return sa.text(f"{hidden} LIMIT 1").bindparams(slim_who=who)


@lru_cache(maxsize=2)
def _queries(schema_name: str) -> tuple[str, str]:
    datasets = _withheld("datasets", schema_name)
    within = f"SELECT id FROM {schema_name}.campaigns WHERE dataset_id IN ({datasets})"
    return datasets, f"{within} UNION {_withheld('campaigns', schema_name)}"


def _withheld(table: str, schema_name: str) -> str:
    """Ids of private rows that are not the person's, nor shared with them or their role, who is no admin."""
    as_role = " OR ".join(f"m.role = '{role}' AND h.person IN {_stood_for(role)}" for role in SHARED_ROLES)
    member = f"SELECT 1 FROM {schema_name}.members AS m WHERE m.email = :slim_who"
    shared = f"h.subject = t.id AND (h.person = :slim_who OR EXISTS ({member} AND ({as_role})))"
    return (
        f"SELECT t.id FROM {schema_name}.{table} AS t WHERE t.private AND lower(t.created_by) <> :slim_who "
        f"AND NOT EXISTS ({member} AND m.role = 'admin') "
        f"AND NOT EXISTS (SELECT 1 FROM {schema_name}.shares AS h WHERE {shared})"
    )


def _stood_for(role: str) -> str:
    """The roles that somebody of this role has, as SQL."""
    quoted = ", ".join(f"'{each}'" for each in SHARED_ROLES[: SHARED_ROLES.index(role) + 1])
    return f"({quoted})"


def hides(connection: Connection, id: str) -> bool:
    """Whether this is the id of a data set or a run that the reader of the connection is not shown."""
    queries = [sa.select(table.c.id).where(table.c.id == id) for table in (schema.datasets, schema.runs)]
    if any(connection.execute(query).first() for query in queries):
        return False
    return any(connection.execute(of_everybody(query)).first() for query in queries)
