#!/usr/bin/env python3
"""Count an export as Rybbit's dashboard would, and compare each day with a sandbox's
database: users, sessions, bounces, seconds, events by name. It knows of a product
what the product's documentation says, and nothing of hopper.

    recount.py posthog|simpleanalytics|matomo SANDBOX.db EXPORT...
"""
import csv
import datetime as dt
import glob
import gzip
import html
import json
import os
import sqlite3
import sys
import urllib.parse
from collections import Counter, defaultdict

csv.field_size_limit(1 << 30)
PAUSE = dt.timedelta(minutes=30)


def records(path):
    if os.path.isdir(path):
        for name in sorted(glob.glob(os.path.join(path, "*"))):
            yield from records(name)
    elif path.endswith("_manifest.json"):
        return
    elif path.endswith(".csv"):
        with open(path, newline="", encoding="utf-8") as f:
            yield from csv.DictReader(f)
    else:
        with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as f:
            for line in f:
                yield json.loads(line)


def instant(text):
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(dt.timezone.utc)


def posthog(paths):
    events, persons, seen = [], {}, set()
    for path in paths:
        for r in records(path):
            if "event" not in r:
                version = r["person_distinct_id_version"]
                if not r["is_deleted"] and version >= persons.get(r["distinct_id"], (-1, ""))[0]:
                    persons[r["distinct_id"]] = (version, r["person_id"])
                continue
            if isinstance(r["properties"], str):
                r["properties"] = json.loads(r["properties"])
            key = (r["uuid"], r["event"], r["distinct_id"], instant(r["timestamp"]))
            if key not in seen:
                seen.add(key)
                events.append((key[3], r))
    events.sort(key=lambda e: e[0])

    # A user is a person: of the table of persons, or what $identify says is one.
    same = {}

    def find(name):
        while same.get(name, name) != name:
            name = same[name]
        return name

    for distinct, (_, person) in persons.items():
        same[find(("distinct", distinct))] = find(("person", person))
    for _, r in events:
        if r["event"] == "$identify":
            same[find(("distinct", r["properties"]["$anon_distinct_id"]))] = find(("distinct", r["distinct_id"]))
    for _, r in events:
        same[find(("distinct", r["distinct_id"]))] = find(("person", r["person_id"]))

    # A page without a session is in one that the person's pauses end; what a server sent
    # is in the session in which the person was last.
    last, paused = {}, {}
    for at, r in events:
        p, name = r["properties"], r["event"]
        address = urllib.parse.urlsplit(p.get("$current_url") or "")
        if name == "$pageview":
            if not address.netloc and not p.get("$host"):
                continue
            kind = "pageview"
        elif name == "$autocapture":
            if not p.get("$external_click_url"):
                continue
            kind = "outbound"
        elif name in ("$web_vitals", "$exception"):
            kind = {"$web_vitals": "performance", "$exception": "error"}[name]
        elif name.startswith("$"):
            continue
        else:
            kind = "custom_event " + name
        user = find(("person", r["person_id"]))
        session = p.get("$session_id")
        if not session and p.get("$lib") == "web":
            session, when = paused.get(user, (None, None))
            if not session or at - when >= PAUSE:
                session = f"paused {user} {at}"
            paused[user] = (session, at)
        elif not session:
            session, when = last.get(user, (None, None))
            if not session or at - when >= PAUSE:
                continue
        if p.get("$lib") == "web":
            last[user] = (session, at)
        yield at, kind, user, session


def simpleanalytics(paths):
    rows, seen = [], set()
    for path in paths:
        for r in records(path):
            if r.get("is_robot") == "true":
                continue
            key = tuple(r.get(c) for c in ("uuid", "added_iso", "datapoint", "hostname", "path"))
            if key not in seen:
                seen.add(key)
                rows.append((instant(r["added_iso"]), len(rows), r))
    rows.sort(key=lambda x: x[:2])
    # How each document in a browser was come to: its first page view says so.
    document = lambda n, r: r.get("session_id") or n
    first = {}
    for at, n, r in rows:
        if r["datapoint"] == "pageview" or document(n, r) not in first:
            known = first.get(document(n, r))
            if known is None or known["datapoint"] != "pageview":
                first[document(n, r)] = r
    visit_of, by_look, day_users, number = {}, defaultdict(list), {}, 0
    for at, n, r in rows:
        lead = first[document(n, r)]
        look = tuple(lead[c] for c in ("user_agent", "screen_width", "screen_height", "country_code", "lang_language", "lang_region")) + (() if lead["user_agent"] else (lead["browser_name"], lead["os_name"], lead["device_type"]))
        visit = visit_of.get(document(n, r))
        if visit is None:
            referrer = lead["document_referrer"].split("://")[-1]
            host, _, path = referrer.partition("/")
            viewed = lead["datapoint"] == "pageview"
            unique = viewed and lead["is_unique"] == "true"
            if not viewed or not unique and host.removeprefix("www.") == lead["hostname"]:
                came = ("/" + path).split("?")[0] if viewed else r["path"]
                going = [v for v in by_look[look] if at - v["last"] < PAUSE]
                visit = next((v for v in reversed(going) if v["path"] == came), going[-1] if going else None)
            if visit is None:
                number += 1
                key = (at.date(), look)
                user = number if unique else day_users.get(key, number)
                day_users[key] = user
                visit = {"number": number, "user": user, "path": None}
            visit_of[document(n, r)] = visit
        visit["last"] = at
        if r["datapoint"] == "pageview":
            visit["path"] = r["path"]
        if visit in by_look[look]:
            by_look[look].remove(visit)
        by_look[look].append(visit)
        name = r["datapoint"]
        parts = name.split("_")
        if parts[0] == "email" and len(parts) > 3:
            name = "email"
        yield at, "pageview" if name == "pageview" else "custom_event " + name, visit["user"], visit["number"]


def matomo(paths):
    events = sorted(event for path in paths for event in (matomo_tables if os.path.isdir(path) else matomo_log)(path))
    for second, kind, user, session in events:
        yield dt.datetime.fromtimestamp(second, dt.timezone.utc), kind, user, session


def matomo_tables(folder):
    def table(name):
        for row in records(os.path.join(folder, f"matomo_{name}.csv")):
            yield {column: "" if cell in ("NULL", "0") else cell for column, cell in row.items()}

    names = {row["idaction"]: row for row in table("log_action")}
    visitors = {row["idvisit"]: row["idvisitor"] for row in table("log_visit")}
    for row in table("log_link_visit_action"):
        if row["idaction_content_name"]:
            continue
        shown = names.get(row["idaction_url"]) or names.get(row["idaction_name"]) or {"type": "1"}
        kind = {"2": "outbound", "3": "outbound", "8": "custom_event Site Search"}.get(shown["type"], "pageview")
        if row["idaction_event_category"]:
            kind = "custom_event " + html.unescape(names[row["idaction_event_category"]]["name"])
        yield instant(row["server_time"] + "Z").timestamp(), kind, visitors[row["idvisit"]], row["idvisit"]


def matomo_log(path):
    kinds = {"action": "pageview", "outlink": "outbound", "download": "outbound", "search": "custom_event Site Search"}
    with open(path, encoding="utf-8") as f:
        for visit in json.load(f):
            for action in visit["actionDetails"]:
                kind = "custom_event " + action["eventCategory"] if action["type"] == "event" else kinds.get(action["type"])
                if kind:
                    yield int(action["timestamp"]), kind, visit["visitorId"], visit["idVisit"]


def shown(database):
    for at, kind, name, user, session in sqlite3.connect(database).execute("SELECT timestamp, kind, event_name, user_id, session_id FROM events ORDER BY timestamp, id"):
        yield instant(at + "Z"), kind + " " + name if kind == "custom_event" else kind, user, session


def count(events):
    days = defaultdict(lambda: {"users": set(), "sessions": 0, "bounces": 0, "seconds": 0.0, "events": Counter()})
    visits = {}
    for at, kind, user, session in events:
        day = days[at.date().isoformat()]
        day["users"].add(user)
        day["events"][kind] += 1
        visits.setdefault(session, []).append((at, kind))
    for visit in visits.values():
        day = days[visit[0][0].date().isoformat()]
        day["sessions"] += 1
        day["bounces"] += sum(kind == "pageview" for _, kind in visit) == 1
        day["seconds"] += (visit[-1][0] - visit[0][0]).total_seconds()
    for day in days.values():
        day["users"] = len(day["users"])
        day["events"] = dict(sorted(day["events"].items()))
    return days


source, database, *paths = sys.argv[1:]
told, there = count({"posthog": posthog, "simpleanalytics": simpleanalytics, "matomo": matomo}[source](paths)), count(shown(database))
wrong = 0
for name in sorted(set(told) | set(there)):
    a, b = told[name], there[name]
    # The database keeps milliseconds.
    off = [m for m in a if (abs(a[m] - b[m]) > 0.002 * max(1, a["sessions"]) if m == "seconds" else a[m] != b[m])]
    wrong += bool(off)
    print(name, *(f"{m} {a[m]}" + (f" and not {b[m]}" if m in off else "") for m in a))
if wrong or not told:
    sys.exit(f"{wrong} of {len(told)} days differ")
