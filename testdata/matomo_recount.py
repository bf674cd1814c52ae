"""Recounts an export of Matomo's and holds it against the database of a sandbox.

    python3 matomo_recount.py EXPORT SANDBOX.db

EXPORT is a folder with the tables as CSV, or the visits log as JSON. It knows nothing of
hopper: it reads rows, joins them, and adds up per day what Rybbit's dashboard shows. What
differs is printed, and the exit code is then 1.
"""
import csv, datetime, html, json, os, sqlite3, sys
from collections import Counter, defaultdict

csv.field_size_limit(1 << 24)


def seconds(text):
    return int(datetime.datetime.fromisoformat(text + "+00:00").timestamp())


def table(folder, name):
    with open(os.path.join(folder, "matomo_%s.csv" % name), encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield {key: "" if value == "NULL" else value for key, value in row.items()}


def of_database(folder):
    """Yields visit, visitor, second, kind and name of each action."""
    names = {row["idaction"]: row for row in table(folder, "log_action")}
    visitors = {row["idvisit"]: row["idvisitor"] for row in table(folder, "log_visit")}
    for row in table(folder, "log_link_visit_action"):
        if row["idaction_content_name"] not in ("", "0"):
            continue
        kind, name = "pageview", ""
        shown = names.get(row["idaction_url"]) or names.get(row["idaction_name"]) or {"type": ""}
        if row["idaction_event_category"] not in ("", "0"):
            kind, name = "custom_event", html.unescape(names[row["idaction_event_category"]]["name"])
        elif shown["type"] == "8":
            kind, name = "custom_event", "Site Search"
        elif shown["type"] in ("2", "3"):
            kind = "outbound"
        yield row["idvisit"], visitors[row["idvisit"]], seconds(row["server_time"]), kind, name


def of_log(path):
    with open(path, encoding="utf-8") as file:
        visits = json.load(file)
    kinds = {"action": "pageview", "event": "custom_event", "search": "custom_event", "outlink": "outbound", "download": "outbound"}
    for visit in visits:
        for action in visit["actionDetails"]:
            kind = kinds.get(action["type"])
            if kind is None:
                continue
            name = {"event": action.get("eventCategory"), "search": "Site Search"}.get(action["type"], "")
            yield visit["idVisit"], visit["visitorId"], int(action["timestamp"]), kind, name


def of_sandbox(path):
    rows = sqlite3.connect(path).execute("SELECT session_id, user_id, timestamp, kind, event_name FROM events")
    for session, user, at, kind, name in rows:
        yield session, user, seconds(at[:19].replace("T", " ")), kind, name if kind == "custom_event" else ""


def day_of(second):
    return datetime.datetime.fromtimestamp(second, datetime.timezone.utc).date().isoformat()


def count(actions):
    """Adds up per day; a session is of the day on which it begins."""
    sums, users, sessions = Counter(), defaultdict(set), defaultdict(list)
    for session, user, at, kind, name in actions:
        day = day_of(at)
        users[day].add(user)
        sums[day, kind, name] += 1
        sessions[session].append((at, kind))
    for day, who in users.items():
        sums[day, "users", ""] = len(who)
    for hits in sessions.values():
        first, last = min(hits)[0], max(hits)[0]
        day = day_of(first)
        sums[day, "sessions", ""] += 1
        sums[day, "seconds", ""] += last - first
        sums[day, "bounces", ""] += sum(kind == "pageview" for _, kind in hits) == 1
    return +sums


def main(export, sandbox):
    want = count(of_database(export) if os.path.isdir(export) else of_log(export))
    got = count(of_sandbox(sandbox))
    for key in sorted(want.keys() | got.keys()):
        if want[key] != got[key]:
            print(*key, "export", want[key], "sandbox", got[key])
    print(len(want), "sums,", sum(n for (_, what, _), n in want.items() if what == "sessions"), "sessions")
    return 0 if want == got and want else 1


sys.exit(main(*sys.argv[1:]))
