"""Which columns lists of secrets, grants and accesses have."""

from __future__ import annotations

from descartes_server.cli.views import Column, Row, View, ago, coloured, escape


def _versions(row: Row) -> str:
    live = [each for each in row["versions"] if not each.get("revokedAt")]
    return str(row["version"]) if len(live) == 1 else f"{row['version']} ({len(live)} kept)"


def _grants(row: Row) -> str:
    return ", ".join(f"{each['principal']} {each['level']}" for each in row["grants"])


SECRETS = [
    Column("name", lambda row: row["name"], lambda row: f"[bold]{escape(row['name'])}[/bold]", short=False),
    Column("type", lambda row: row["type"]),
    Column("version", lambda row: str(row["version"]), _versions),
    Column("changed", lambda row: row["updatedAt"], lambda row: f"[dim]{ago(row['updatedAt'])}[/dim]"),
    Column("granted to", _grants, short=False),
]

GRANTS = [
    Column("secret", lambda row: row["secret"], short=False),
    Column("principal", lambda row: row["principal"], short=False),
    Column("level", lambda row: row["level"]),
    Column(
        "until",
        lambda row: row.get("expiresAt") or "",
        lambda row: ago(row["expiresAt"]) if row.get("expiresAt") else "until it is taken away",
    ),
]

ACCESSES = [
    Column("time", lambda row: row["timestamp"], lambda row: f"[dim]{ago(row['timestamp'])}[/dim]"),
    Column("who", lambda row: row["principal"], lambda row: escape(row["principal"]), most=20),
    Column("action", lambda row: row["action"]),
    Column("secret", lambda row: row.get("secretName") or "", short=False),
    Column(
        "outcome",
        lambda row: "done" if row["success"] else "refused",
        lambda row: coloured("done") if row["success"] else "[red]refused[/red]",
    ),
    Column("from", lambda row: row["source"], in_table=False),
    Column("why", lambda row: row.get("reason") or ""),
]

STATUS = [
    Column("vault", lambda row: row["state"]),
    Column("opens with", lambda row: row.get("keySource") or ""),
    Column(
        "locks",
        lambda row: row.get("locksAt") or "",
        lambda row: ago(row["locksAt"]) if row.get("locksAt") else "",
    ),
    Column("file", lambda row: row["path"], short=False),
]

VIEWS = {
    "secret.list": View(SECRETS, lambda result: result["secrets"], "There is no secret."),
    **{f"secret.{verb}": View(SECRETS, lambda result: [result]) for verb in ("set", "rotate", "revoke")},
    "secret.grant": View(GRANTS, lambda result: [result["grant"]]),
    "secret.audit": View(ACCESSES, lambda result: result["entries"], "Nobody wanted a secret."),
    **{
        f"secret.{verb}": View(STATUS, lambda result: [result])
        for verb in ("status", "init", "unlock", "changePassword")
    },
}
