#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random configuration files: what vitrine makes of them against the programs that read them.

usage: compare-conf.py VITRINE [SEED [COUNT [CHECK…]]]

Prints the seed of each tree that is told differently, and how. Status 77: a tool is missing.
"""
import json, os, random, re, shutil, subprocess, sys, tempfile


def run(*argv, **more):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", **more)


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", newline="") as f:
        f.write(text)
    os.chmod(path, mode)


def inspected(vitrine, root, work):
    write(root + "/usr/lib/os-release", "ID=debian\nVERSION_ID=12\n")
    os.makedirs(root + "/etc", exist_ok=True)
    os.makedirs(root + "/usr/bin", exist_ok=True)
    os.symlink("usr/bin", root + "/bin")
    os.symlink("../usr/lib/os-release", root + "/etc/os-release")
    image = work + "/img"
    if os.path.exists(image):
        os.unlink(image)
    out = run("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-N", "400", "-d", root, image, "4M")
    assert out.returncode == 0, out.stderr
    out = run(vitrine, "inspect", "--json", "--no-packages", image)
    assert out.returncode in (0, 3), out.stderr
    return json.loads(out.stdout)["operating_systems"][0]


# ---------------------------------------------------------------------------------------------------------- sudoers

def sudoers_line(r, work):
    """A line that sudo takes by itself: one that it does not makes it refuse the whole."""
    while True:
        line = sudoers_any(r)
        write(work + "/line", line + "\n", 0o440)
        if "rror" not in run("cvtsudoers", "-f", "json", work + "/line").stderr:
            return line


def sudoers_any(r):
    user = r.choice(["root", "%wheel", "#1000", "%#10", "alice , bob", "alice,bob,\tcarl", '"a b"', "!x", "+net", "a\\,b"])
    command = r.choice(["ALL", "/bin/ls", "/bin/ls a\\#b", "/bin/x \\, y", '/bin/x "a # b"', "/bin/y NOPASSWD", "sudoedit /etc/x"])
    tag = r.choice(["", "", "NOPASSWD:", "NOPASSWD : NOEXEC: ", "PASSWD:", "(ALL:ALL) ", "(root)  NOPASSWD: "])
    return r.choice([
        user + " ALL=" + tag + command, user + "\tALL = " + tag + command + "  # c", "  " + user + " ALL=" + tag + command,
        user + " \\\n  ALL=\\\n" + tag + command, user + " ALL=" + tag + command + " \\\n a\\\nb", "# c \\", "", "#c", "# 1",
        "Defaults\tenv_reset", 'Defaults badpass_message="a  # b", !insults # c', "Defaults:alice !requiretty",
        'Defaults passprompt="a\\\n   b"', "Defaults secure_path = /bin:\\\n  /sbin",
        "User_Alias U%d = alice, \\\n\tbob # two" % r.randint(0, 9999), "Cmnd_Alias C%d = /bin/a \"b # c\"" % r.randint(0, 9999),
        user + " ALL=" + tag + command + "\r"])


def sudoers(vitrine, r, work):
    where = work + "/inc"
    shutil.rmtree(where, ignore_errors=True)
    names = ["d/10_b", "d/1_a", "d/_c", "d/x.y", "d/z~", "d/.h", "one", "t o", "sub/in", "d/two"]
    texts = {}
    for i, name in enumerate(names):
        lines = [sudoers_line(r, work) for _ in range(r.randint(0, 4))]
        if name == "sub/in":
            lines.insert(r.randint(0, len(lines)), "@include ../one2")
        texts[name] = lines
    texts["one2"] = [sudoers_line(r, work)]
    main = [sudoers_line(r, work) for _ in range(r.randint(1, 6))]
    for _ in range(r.randint(1, 4)):
        main.insert(r.randint(0, len(main)), r.choice(
            ["@includedir %s/d", "#includedir %s/d/", "@include %s/one # c", "#include\t%s/one", '@include "%s/t o"',
             "@include %s/t\\ o", " @include %s/sub/in", " #include %s/one", "@include \\\n%s/one", "#includedir %s/none",
             "#includes %s/one"]) % where)
    for name, lines in texts.items():
        write(where + "/" + name, "\n".join(lines) + "\n", 0o440)
    text = "\n".join(main) + r.choice(["\n", ""])
    write(where + "/main", text, 0o440)
    theirs = run("cvtsudoers", "-f", "json", where + "/main")
    if theirs.returncode != 0 or "rror" in theirs.stderr:
        return
    COMPARED[0] += 1
    root = work + "/root"
    shutil.copytree(where, root + where)
    write(root + "/etc/sudoers", text, 0o440)
    ours = inspected(vitrine, root, work)["sudoers"]
    write(work + "/ours", "".join(x["text"] + "\n" for x in ours), 0o440)
    again = run("cvtsudoers", "-f", "json", work + "/ours")
    if again.stdout != theirs.stdout:
        yield "cvtsudoers: of the files\n%s\nof vitrine's lines\n%s%s" % (theirs.stdout, again.stdout, open(work + "/ours").read())
    specs = json.loads(theirs.stdout or "{}").get("User_Specs", [])
    rules = [x for x in ours if x["type"] == "rule"]
    if len(specs) != len(rules):
        yield "cvtsudoers: %d rules, vitrine: %d" % (len(specs), len(rules))
    for spec, rule in zip(specs, rules):
        write(work + "/who", rule["who"] + " ALL=ALL\n", 0o440)
        who = json.loads(run("cvtsudoers", "-f", "json", work + "/who").stdout)["User_Specs"][0]["User_List"]
        free = any(o.get("authenticate") is False for c in spec["Cmnd_Specs"] for o in c.get("Options", []))
        if who != spec["User_List"] or free != rule["nopasswd"]:
            yield "cvtsudoers: %s, vitrine: %s" % (spec, rule)


# --------------------------------------------------------------------------------------------------------- ifupdown

def ifupdown_stanza(r, names):
    name = r.choice(["eth0", "eth1", "br0:1", "a"])
    family = r.choice(["inet static", "inet static", "inet dhcp", "inet manual", "inet6 static", "inet6 auto"])
    kind = family if not names or r.random() < .7 else r.choice([family + " inherits " + r.choice(names), "inherits " + r.choice(names)])
    names.append(name)
    six = "inet6" in kind
    out = [r.choice(["iface %s %s", " iface\t%s  %s", "iface %s \\\n  %s"]) % (name, kind)]
    if "static" in kind:
        out.append("  address " + (r.choice(["2001:db8::%d/64", "2001:db8::%d/48"]) if six else
                                   r.choice(["10.0.0.%d/24", "192.0.2.%d/24", "172.16.0.%d", "10.0.0.%d"])) % r.randint(1, 99))
        if r.random() < .3 and not six:
            out.append("  netmask " + r.choice(["255.255.0.0", "16", "255.255.255.0"]))
        if r.random() < .4:
            out.append("  gateway " + r.choice(["10.0.0.%d", "\\\n 10.0.0.%d"]) % r.randint(100, 109))
    if r.random() < .4:
        out.append("  dns-nameservers 192.0.2.1 192.0.2.%d" % r.randint(2, 9))
    if r.random() < .3:
        out.append("  up ip link \\\n set x")
    if r.random() < .3:
        out.insert(r.randint(1, len(out)), r.choice(["# c \\", "", "  # c"]))
    return out + r.choice([[], ["auto " + name], ["allow-hotplug " + name], ["mapping x", " script y"], ["no-scripts eth0"]])


def ifupdown(vitrine, r, work):
    where, names = work + "/inc", []
    shutil.rmtree(where, ignore_errors=True)
    for name in ["d/a", "d/b-1", "d/c.cfg", "d/x~", "e/a"]:
        write(where + "/" + name, "\n".join(sum([ifupdown_stanza(r, []) for _ in range(r.randint(0, 2))], []) + r.choice([[], [], ["bogus"]])) + "\n")
    parts = [ifupdown_stanza(r, names) for _ in range(r.randint(1, 4))]
    for _ in range(r.randint(0, 2)):
        parts.insert(r.randint(0, len(parts)), [r.choice(["source %s/d/*", "source %s/*/a", "source-directory %s/d", "source %s/e/a %s/d/[b-c]*",
                                                           "source %s/none", "source-directory %s/?"]).replace("%s", where)])
    text = "\n".join(sum(parts, [])) + "\n"
    write(work + "/interfaces", text)
    names = set(re.findall(r"iface\s+(\S+)", text + "".join(open(os.path.join(d, f)).read() for d, _, fs in os.walk(where) for f in fs)))
    root = work + "/root"
    shutil.copytree(where, root + where)
    write(root + "/etc/network/interfaces", text)
    ours = inspected(vitrine, root, work).get("interfaces", [])
    COMPARED[0] += 1
    for name in sorted(names):
        out = run("ifquery", "-i", work + "/interfaces", name)
        mine = [o for o in ours if o["name"] == name]
        if out.returncode != 0:
            if mine:
                yield "ifquery has no %s, vitrine: %s" % (name, mine)
            continue
        t, at = {}, None
        for line in out.stdout.splitlines():
            m = re.match(r"([a-z0-9_-]+): (.*)", line)
            if m:
                at = t.setdefault(m[1], [])
            if at is not None:  # of several values of one stanza the first counts, but for lists
                at.append(m[2] if m else "+" + line)
        first = lambda k: [x for x in t.get(k, []) if not x.startswith("+")]
        bits = lambda m: str(sum(bin(int(x)).count("1") for x in m.split("."))) if "." in m else m
        want, keys = [], re.findall(r"^(address|netmask): (.*)", out.stdout, re.M)
        for k, (key, value) in enumerate(keys):
            if key == "address":
                mask = keys[k + 1][1] if keys[k + 1:] and keys[k + 1][0] == "netmask" else ""
                want.append(value + ("/" + bits(mask) if mask else ""))
        want.sort()
        got = sorted(sum([o["addresses"] for o in mine], []))
        if not mine or want != got:
            yield "ifquery: %s: %s, vitrine: %s\n%s%s" % (name, want, mine, text, out.stdout)
        want = sorted(" ".join(x.lstrip("+") for x in t.get("dns-nameservers", [])).split())
        got = sorted(sum([o["dns"] for o in mine], []))
        if want != got:
            yield "ifquery: %s: dns %s, vitrine: %s" % (name, want, got)
        want, got = sorted(first("gateway")), sorted(sum([o["gateways"] for o in mine], []))
        if want != got:
            yield "ifquery: %s: gateways %s, vitrine: %s" % (name, want, got)


COMPARED = [0]  # trees that the program itself takes
CHECKS = [("cvtsudoers", sudoers), ("ifquery", ifupdown)]


def main():
    vitrine, first = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    if not shutil.which("mke2fs"):
        print("SKIPPED: no mke2fs")
        return 77
    checks = []
    for tool, check in CHECKS:
        if len(sys.argv) > 4 and check.__name__ not in sys.argv[4:]:
            continue
        if shutil.which(tool):
            checks.append(check)
        else:
            print("SKIPPED: no %s" % tool)
    bad = 0
    with tempfile.TemporaryDirectory(prefix="vitrine-conf-") as work:
        for seed in range(first, first + count):
            for check in checks:
                shutil.rmtree(work + "/root", ignore_errors=True)
                os.makedirs(work + "/root")
                for line in check(vitrine, random.Random("%s %d" % (check.__name__, seed)), work):
                    print("%s: seed %d: %s" % (check.__name__, seed, line))
                    bad += 1
    print("%d trees of %d, %d differences" % (COMPARED[0], count * len(checks), bad))
    return 1 if bad or checks and COMPARED[0] == 0 else 0 if checks else 77


if __name__ == "__main__":
    sys.exit(main())
