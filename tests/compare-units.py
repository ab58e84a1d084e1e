#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random trees of systemd's unit files: what vitrine says of them against systemctl --root and systemd --test.

usage: compare-units.py VITRINE [SEED [COUNT]]

Prints the seed of each tree that is told differently, and how. Status 77: a tool is missing.
"""
import json, os, random, re, shutil, subprocess, sys, tempfile

ETC, LOCAL, USR = "etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system"
DIRS = [ETC, LOCAL, USR]
NAMES = ["a.service", "b.service", "a-b.service", "a-b-c.service", "t@.service", "t@x.service", "t@y.service", "t-u@.service",
         "s.socket", "c.timer", "m.target", "n.target", "o.path"]
DROPINS = ["10-a.conf", "20-b.conf", "30-c.conf"]
SYSTEMD = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"]


def install(r):
    out = ["[Install]"]
    for _ in range(r.randint(1, 3)):
        out.append(r.choice(["WantedBy=m.target", "RequiredBy=n.target", "Alias=b-alias.service", "Alias=a-alias.service",
                             "Also=b.service", "DefaultInstance=x", "WantedBy=", "Alias=", "wantedby=m.target",
                             "# Alias=z.service", "WantedBy=m.target \\\n# comment\n  n.target"]))
    return out


def unit(r, name, content):
    kind = name.rsplit(".", 1)[1]
    out = ["\ufeff[Unit]" if r.random() < .1 else "[Unit]"]
    for _ in range(r.randint(0, 2)):
        out.append(r.choice(["Description=A %s" % r.randint(0, 99), "Description=", "Description=x \\\n  y", "; c", "Description = %n %i %p",
                             "description=no", "Description=p \\\n; c\n q", "nothing", "Description=e \\\\", "Description=%%N %I %j"]))
    if kind == "service":
        out.append("[Service]")
        for _ in range(r.randint(1, 3)):
            out.append(r.choice(["ExecStart=/bin/e%d" % r.randint(0, 99), "ExecStart=", "ExecStart=/bin/f x \\\n  y", "User=u%d" % r.randint(0, 9), "User=",
                                 "Type=oneshot", " ExecStart = /bin/g %i ", "ExecStart=/bin/h \\\n#c\n%p"]))
        out.append("Type=oneshot")
    elif kind == "timer":
        out.append("[Timer]")
        for _ in range(r.randint(1, 3)):
            out.append(r.choice(["OnCalendar=daily", "OnCalendar=", "OnBootSec=1min", "Unit=b.service", "Persistent=yes", "Persistent=x"]))
    elif kind == "socket":
        out += ["[Socket]", "ListenStream=/run/x%d" % r.randint(0, 9)]
    elif kind == "path":
        out += ["[Path]", "PathExists=/x"]
    if not content and r.random() < .6:
        out += install(r)
    if r.random() < .05 and not content:
        out.append("[Broken")
    end = "\r\n" if r.random() < .15 else "\n"
    return end.join("\n".join(out).split("\n")) + end


def target(r, root, d, content):
    name = r.choice(NAMES)
    where = r.choice(["../" * r.randint(0, 1) + name, "/" + r.choice(DIRS) + "/" + name, "/opt/" + name, "/dev/null",
                      "/" + r.choice(DIRS) + "/" + name])
    if content and where.startswith("/") and where != "/dev/null":
        where = name
    return where


def write(path, text):
    if not os.path.lexists(path):
        with open(path, "w", newline="") as f:
            f.write(text)


def tree(r, root, content):
    for d in DIRS + ["usr/bin", "usr/lib/systemd/system-preset", "etc/systemd/system-preset", "opt", "dev"]:
        os.makedirs(os.path.join(root, d), exist_ok=True)
    os.symlink("usr/lib", root + "/lib")
    os.symlink("usr/bin", root + "/bin")
    write(root + "/usr/lib/os-release", "ID=debian\nVERSION_ID=12\n")
    os.symlink("../usr/lib/os-release", root + "/etc/os-release")
    for n in r.sample(NAMES, 3):
        write(root + "/opt/" + n, unit(r, n, content))
    for d in DIRS:
        for n in NAMES:
            path = "%s/%s/%s" % (root, d, n)
            x = r.random()
            if x < .5 and d == USR or x < .2:
                write(path, unit(r, n, content))
            elif x < .25:
                write(path, "")
            elif x < .35 and not content:
                os.symlink(target(r, root, d, content), path)
            elif x < .27:
                os.symlink("/dev/null", path)
        for n in r.sample(["a-alias.service", "b-alias.service", "t@z.service", "odd.target"], r.randint(0, 3)):
            if not content:
                os.symlink(target(r, root, d, content), "%s/%s/%s" % (root, d, n))
        for owner in ["m.target", "n.target", "t@.service"]:
            for kind in [".wants", ".requires"]:
                if r.random() < .5:
                    continue
                os.makedirs("%s/%s/%s%s" % (root, d, owner, kind), exist_ok=True)
                for n in r.sample(NAMES + ["t@w.service"], r.randint(0, 3)):
                    path = "%s/%s/%s%s/%s" % (root, d, owner, kind, n)
                    if r.random() < .8:
                        same = "/" + r.choice(DIRS) + "/" + re.sub("@.*", "@.service", n)
                        os.symlink(("../" + os.path.basename(same) if content else same) if r.random() < .7 else target(r, root, d, content), path)
                    else:
                        write(path, r.choice(["", "x\n"]))
        for owner in ["service.d"] + [n + ".d" for n in NAMES + ["a-.service", "t-.service", "t-u@x.service", "t-@.service"]]:
            if r.random() < (.35 if content else .15):
                os.makedirs("%s/%s/%s" % (root, d, owner), exist_ok=True)
                for n in r.sample(DROPINS, r.randint(1, 2)):
                    path = "%s/%s/%s/%s" % (root, d, owner, n)
                    x = r.random()
                    name = owner[:-2] if "." in owner[:-2] else "x." + owner[:-2]
                    if x < .8:
                        write(path, unit(r, name, content))
                    elif x < .9 or not content:  # there is no /dev/null in the tree for systemctl --root
                        write(path, "")
                    else:
                        os.symlink("/dev/null", path)
    for d in ["etc", "usr/lib"]:
        for n in r.sample(["10-x.preset", "20-y.preset"], r.randint(0, 2)):
            lines = [r.choice(["enable a*", "disable *", "enable b.service", "disable t@*", "# x", "", "disable ?.service", 
                               "disable [a-b].service", "bogus a.service", " enable  m.target"]) for _ in range(r.randint(1, 4))]
            write("%s/%s/systemd/system-preset/%s" % (root, d, n), "\n".join(lines) + "\n")


def run(*argv, **more):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", **more)


def services(vitrine, root, work):
    image = work + "/img"
    if os.path.exists(image):
        os.unlink(image)
    out = run("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d", root, image, "4M")
    assert out.returncode == 0, out.stderr
    out = run(vitrine, "inspect", "--json", "--no-packages", image)
    assert out.returncode in (0, 3), out.stderr
    system = json.loads(out.stdout)["operating_systems"][0]
    return {s["name"]: s for s in system["services"]}, system


def states(vitrine, root, work):
    """Differences of states and presets."""
    ours, system = services(vitrine, root, work)
    out = run("systemctl", "--root=" + root, "list-unit-files", "--no-pager", "--no-legend", "--plain", "--full")
    theirs = {}
    for line in out.stdout.splitlines():
        name, state, preset = (line.split() + ["-"])[:3]
        theirs[name] = (state, preset)
    for name, (state, preset) in sorted(theirs.items()):
        o = ours.get(name, {})
        if o.get("state") != state:
            yield "%s: systemctl: %s, vitrine: %s" % (name, state, o.get("state"))
        elif state != "bad" and preset != "-" and o.get("preset") != preset:
            yield "%s: preset: systemctl: %s, vitrine: %s" % (name, preset, o.get("preset"))
    for name, o in sorted(ours.items()):
        if name in theirs:
            continue
        out = run("systemctl", "--root=" + root, "is-enabled", name)
        state = out.stdout.strip() or "not-found"
        if state != o["state"] and not (o["state"] == "bad" and state == "not-found"):
            yield "%s: is-enabled: %s, vitrine: %s" % (name, state, o["state"])
    out = run("systemctl", "--root=" + root, "get-default")
    if out.returncode == 0 and out.stdout.strip() != system.get("default_target"):
        yield "default: %s, vitrine: %s" % (out.stdout.strip(), system.get("default_target"))


def dump(root, names, work):
    """Units as systemd itself loads them."""
    extra = work + "/extra"
    shutil.rmtree(extra, ignore_errors=True)
    os.makedirs(extra)
    for n in ["basic.target", "shutdown.target", "sysinit.target", "sockets.target", "timers.target", "paths.target"]:
        write(extra + "/" + n, "[Unit]\nDefaultDependencies=no\n")
    write(extra + "/all.target", "[Unit]\nDefaultDependencies=no\nWants=%s\n" % " ".join(names))
    os.makedirs(work + "/run", exist_ok=True)
    argv = [[p for p in SYSTEMD if os.path.exists(p)][0], "--test", "--user", "--unit=all.target"]
    if os.getuid() == 0:
        run("chmod", "-R", "a+rX", work)
        os.chmod(work + "/run", 0o777)
        argv = ["setpriv", "--reuid=65534", "--clear-groups"] + argv
    path = ":".join([root + "/" + d for d in DIRS] + [extra])
    out = run(*argv, env=dict(os.environ, HOME="/", XDG_RUNTIME_DIR=work + "/run", SYSTEMD_UNIT_PATH=path))
    found, unit, command = {}, None, False
    for line in out.stdout.splitlines():
        m = re.match(r"\s*-> Unit (\S+):", line)
        if m:
            unit = found[m.group(1)] = {"exec": [], "dropins": [], "wanted_by": set()}
            continue
        m = re.match(r"\s*([A-Z][A-Za-z -]*): (.*)$", line)
        if not m or unit is None:
            continue
        key, value = m.groups()
        if key == "Description":
            unit["description"] = value
        elif key == "DropIn Path":
            unit["dropins"] += [value[len(root):]] if os.path.getsize(value) else []
        elif key == "Command Line":
            unit["exec"].append(value.replace(' ""', ""))
        elif key == "User":
            unit["user"] = value
        elif key == "Fragment Path":
            unit["path"] = value[len(root):]
        elif key == "Unit Load State":
            unit["load"] = value
        elif key == "WantedBy" and "destination-file" in value and not value.startswith("all.target"):
            unit["wanted_by"].add(value.split()[0])
    if not found:
        raise RuntimeError("systemd --test: " + out.stderr)
    return found


def contents(vitrine, root, work):
    """Differences of what is in units with their drop-ins."""
    ours, _ = services(vitrine, root, work)
    theirs = dump(root, [n for n in ours if "@." not in n], work)
    for name, t in sorted(theirs.items()):
        o = ours.get(name)
        if not o or t.get("load") not in ("loaded", "masked"):
            continue
        if (t["load"] == "masked") != (o["state"] == "masked"):
            yield "%s: systemd: %s, vitrine: %s" % (name, t["load"], o["state"])
            continue
        if t["load"] == "masked":
            continue
        if o.get("unit") != t.get("path"):
            yield "%s: path: systemd: %s, vitrine: %s" % (name, t.get("path"), o.get("unit"))
        for key in ["dropins", "exec"]:
            if [x.rstrip() for x in o.get(key, [])] != t[key]:
                yield "%s: %s: systemd: %s, vitrine: %s" % (name, key, t[key], o.get(key, []))
        if o.get("user") != t.get("user"):
            yield "%s: user: systemd: %s, vitrine: %s" % (name, t.get("user"), o.get("user"))
        if o.get("description", name) != t.get("description"):
            yield "%s: description: systemd: %r, vitrine: %r" % (name, t.get("description"), o.get("description"))
        wants = set(o.get("wanted_by", []))
        if not all(w in wants or re.sub("@.*\\.", "@.", w) in wants for w in t["wanted_by"]):
            yield "%s: wanted by: systemd: %s, vitrine: %s" % (name, sorted(t["wanted_by"]), sorted(wants))


def main():
    vitrine, first, count = sys.argv[1], int((sys.argv + ["1"])[2] if len(sys.argv) > 2 else 1), int(sys.argv[3]) if len(sys.argv) > 3 else 20
    for tool in ["systemctl", "mke2fs"]:
        if not shutil.which(tool):
            print("SKIPPED: no " + tool)
            return 77
    deep = any(os.path.exists(p) for p in SYSTEMD) and (os.getuid() != 0 or shutil.which("setpriv"))
    bad = 0
    # systemd runs as nobody there, who may not enter a folder of root's.
    with tempfile.TemporaryDirectory(prefix="vitrine-units-", dir="/tmp" if os.getuid() == 0 else None) as work:
        for seed in range(first, first + count):
            for content, check in [(False, states), (True, contents)]:
                if content and not deep:
                    continue
                root = os.environ.get("VTR_KEEP_TREE") or work + "/root"
                shutil.rmtree(root, ignore_errors=True)
                tree(random.Random("%d %d" % (seed, content)), root, content)
                for line in check(vitrine, root, work):
                    print("seed %d: %s" % (seed, line))
                    bad += 1
    print("%d trees, %d differences%s" % (count * (1 + bool(deep)), bad, "" if deep else " (SKIPPED: no systemd for the contents)"))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
