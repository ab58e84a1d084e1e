# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the plan that bench/run writes, and prints the table.

A plan has lines of fields with tabs between them:
  group  TITLE                                the next rows are compared with each other
  row    ID  WHO  RUNS  BEFORE  COMMAND  SHOWN
  goal   ID  TEXT  METRIC  max  NUMBER        the row's own figure is at most that
  goal   ID  TEXT  METRIC  times  NUMBER  ID,ID...   the best of the others is at least so many times the row's
WHO is "vitrine", or of the others: the ID of the row of vitrine that it is compared with.
"""
import os
import re
import shlex
import statistics
import subprocess
import sys

UNIT = {"wall": 1e3, "cpu": 1e3, "memory": 1024.0}  # to ms, to MiB


class Row:
    def __init__(self, id, who, runs, before, command, shown):
        self.id, self.who, self.runs = id, who, int(runs)
        self.before, self.shown = before, shown
        # A shell only where there is something for it to do: it takes a millisecond.
        plain = not any(c in re.sub("'[^']*'", "", command) for c in "|<>;&$*(\n")
        self.argv = shlex.split(command) if plain else ["sh", "-c", command]
        self.seen = {"wall": [], "cpu": [], "memory": []}
        self.status = set()

    def run(self, measure, log, keep):
        if self.before:
            subprocess.run(["sh", "-c", self.before], stdout=log, stderr=log, check=True)
        log.write(f"+ {shlex.join(self.argv)}\n")
        log.flush()
        out = subprocess.run([measure] + self.argv, stdout=subprocess.PIPE, stderr=log)
        if out.returncode != 0:
            raise SystemExit(f"bench: {self.shown}: could not be measured; see {log.name}")
        wall, user, system, peak, status = map(int, out.stdout.split())
        self.status.add(status)
        if keep:
            self.seen["wall"].append(wall / UNIT["wall"])
            self.seen["cpu"].append((user + system) / UNIT["cpu"])
            self.seen["memory"].append(peak / UNIT["memory"])

    def median(self, metric):
        return statistics.median(self.seen[metric])


def number(v):
    return f"{v:.0f}" if v >= 99.5 else f"{v:.1f}" if v >= 9.95 else f"{v:.2f}"


def span(row, metric):
    seen = row.seen[metric]
    return f"{number(row.median(metric))} ({number(min(seen))}–{number(max(seen))})"


def read_plan(path):
    groups, rows, goals = [], {}, []
    for line in open(path, encoding="utf-8"):
        kind, *f = line.rstrip("\n").split("\t")
        if kind == "group":
            groups.append((f[0], []))
        elif kind == "row":
            rows[f[0]] = Row(*f)
            groups[-1][1].append(rows[f[0]])
        elif kind == "goal":
            goals.append(f)
    return groups, rows, goals


def judge(goal, rows):
    """(ID, text) of a goal, or None where there is nothing to compare with."""
    id, text, metric, kind, bound = goal[:5]
    if id not in rows:
        return None
    own = rows[id].median(metric)
    if kind == "max":
        met, got = own <= float(bound), number(own)
    else:
        peers = [rows[p].median(metric) for p in goal[5].split(",") if p in rows]
        if not peers:
            return None
        ratio = min(peers) / own
        met, got = ratio >= float(bound), f"{number(ratio)}×"
    return id, f"{text}: **{'met' if met else 'not met'}** ({got})"


def main():
    plan, measure, logname, quiet = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4] == "1"
    groups, rows, goals = read_plan(plan)
    with open(logname, "w", encoding="utf-8") as log:
        for title, members in groups:
            for turn in range(max(r.runs for r in members) + 1):
                if not quiet:
                    print(f"\rbench: {title}: round {turn} ", end="", file=sys.stderr, flush=True)
                # In turn, A B C A B C: a machine whose speed drifts does it to all. The first is to warm up.
                for row in members:
                    if turn <= row.runs:
                        row.run(measure, log, turn > 0)
            if not quiet:
                print(file=sys.stderr)
    said = {}
    for goal in goals:
        verdict = judge(goal, rows)
        if verdict:
            said.setdefault(verdict[0], []).append(verdict[1])
    print("| command | wall, ms | CPU, ms | peak, MiB | peer ÷ vitrine: wall · CPU · memory | goal |")
    print("| --- | --- | --- | --- | --- | --- |")
    for title, members in groups:
        print(f"| **{title}** | | | | | |")
        for r in members:
            ratio = ""
            if r.who in rows:
                own = rows[r.who]
                ratio = " · ".join(f"{number(r.median(m) / own.median(m))}×" for m in UNIT)
            notes = [] if r.status == {0} else [f"exit status {', '.join(map(str, sorted(r.status)))}"]
            if len(r.seen["wall"]) < max(x.runs for g in groups for x in g[1]):
                notes.append(f"{len(r.seen['wall'])} run{'s' if len(r.seen['wall']) > 1 else ''}")
            shown = r.shown + (f" ({'; '.join(notes)})" if notes else "")
            print(f"| {shown} | {span(r, 'wall')} | {span(r, 'cpu')} | {number(r.median('memory'))} | {ratio} | "
                  f"{'; '.join(said.get(r.id, []))} |")


main()
