#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random configuration files: what vitrine makes of them against the programs that read them.

usage: compare-conf.py VITRINE [SEED [COUNT [CHECK…]]]

Prints the seed of each tree that is told differently, and how. Status 77: a tool is missing.
"""
import ctypes, json, os, random, re, shutil, subprocess, sys, tempfile


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


# ------------------------------------------------------------------------------------------------ files of several directories

def merged(r, root, what, line):
    """Files of one name in several directories, links to /dev/null, empty ones, other names."""
    for d in ["etc", "run", "usr/local/lib", "usr/lib"]:
        for name in r.sample(["10-a.conf", "20-b.conf", "b.conf", "a b.conf", ".h.conf", "x.bak"], r.randint(0, 4)):
            path = "%s/%s/%s/%s" % (root, d, what, name)
            if r.random() < .15:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                os.symlink("/dev/null", path)
            else:
                write(path, "".join(line(r) + "\n" for _ in range(r.randint(0, 4))))


def sysctl_line(r):
    name = r.choice(["kernel.x", "kernel/x", "net.ipv4.conf.eth0/1.y", "net/ipv4/conf/eth0.1/y", "net.ipv4.conf.*.y", "vm.z"])
    return r.choice(["%s=%d", " %s = %d", "-%s=%d", "-%s # %d", "# %s=%d", "; %s=%d", "%s=%d 2  3", "%s %d"]) % (name, r.randint(0, 9))


def sysctl(vitrine, r, work):
    """cat-config says which files and in which order; what a line means is in sysctl.d(5)."""
    root = work + "/root"
    merged(r, root, "sysctl.d", sysctl_line)
    # A link to /dev/null is looked for within the root.
    out = run("systemd-analyze", "--root=" + root, "cat-config", "sysctl.d")
    if out.returncode != 0:
        return
    COMPARED[0] += 1
    settings, path = {}, None
    for line in out.stdout.splitlines():
        if line.startswith("# " + root):
            path = line[2 + len(root):]
            continue
        line = line.strip()
        if not line or line[0] in "#;" or not ("=" in line or line[0] == "-"):
            continue
        name, eq, value = line.partition("=")
        name, dash = name.strip().lstrip("-").strip(), line[0] == "-"
        if re.search(r"[./]", name) and re.search(r"[./]", name)[0] == "/":
            name = name.translate(str.maketrans("./", "/."))
        settings.pop(name, None)
        settings[name] = (name, value.strip() if eq else None, dash, not eq, path)
    ours = [(x["name"], x.get("value"), x["optional"], x["excluded"], x["source"]["path"]) for x in inspected(vitrine, root, work).get("sysctl", [])]
    if ours != list(settings.values()):
        yield "systemd-analyze: %s, vitrine: %s\n%s" % (list(settings.values()), ours, out.stdout)


def modprobe_line(r):
    name = r.choice(["snd-hda", "a_b", "c"])
    return r.choice(["blacklist " + name, "options %s x=1  y=2" % name, "alias pci:v[a-c]*-x " + name, "install %s /bin/true" % name,
                     "options %s \\\n z=3" % name, "# c", "", "softdep %s pre: d post: e" % name, "remove %s /bin/a  b" % name,
                     "  blacklist\t%s  " % name])


def modprobe(vitrine, r, work):
    root = work + "/root"
    merged(r, root, "modprobe.d", modprobe_line)
    # modprobe takes one directory; the order of several is that of sysctl.d.
    for d in ["run", "usr"]:
        shutil.rmtree(root + "/" + d, ignore_errors=True)
    if not os.path.isdir(root + "/etc/modprobe.d"):
        return
    out = run("modprobe", "-c", "-C", root + "/etc/modprobe.d").stdout.split("# End of configuration files")[0]
    COMPARED[0] += 1
    norm = lambda lines: sorted(re.sub(r"\s+", " ", x).strip() for x in lines if x.strip())
    ours = inspected(vitrine, root, work).get("module_settings", [])
    ours = norm("%s %s %s" % (x["type"], x["module"], x.get("value", "")) for x in ours)
    theirs = norm(x for x in out.splitlines() if x.split()[:1] and x.split()[0] in ("alias", "blacklist", "options", "install", "remove", "softdep") and
                  "alias" in x or re.search(r"\b(snd_hda|a_b|c)\b", x.split("#")[0]))  # without those of the host's kernel
    theirs = [x.replace("dpost:", "d post:") for x in theirs]
    if ours != theirs:
        yield "modprobe: %s, vitrine: %s" % (theirs, ours)


# ------------------------------------------------------------------------------------------------------ environment

class Conversation(ctypes.Structure):
    _fields_ = [("function", ctypes.c_void_p), ("data", ctypes.c_void_p)]


def pam_environment(path, work):
    """What pam_env sets of a file."""
    pam, handle, out = ctypes.CDLL("libpam.so.0"), ctypes.c_void_p(), []
    write(work + "/pam/x", "session required pam_env.so conffile=/dev/null readenv=1 user_readenv=0 envfile=%s\n" % path)
    assert pam.pam_start_confdir(b"x", b"root", ctypes.byref(Conversation()), (work + "/pam").encode(), ctypes.byref(handle)) == 0
    pam.pam_open_session(handle, 0)
    pam.pam_getenvlist.restype = ctypes.POINTER(ctypes.c_char_p)
    for value in pam.pam_getenvlist(handle):
        if value is None:
            break
        out.append(value.decode())
    pam.pam_end(handle, 0)
    return out


def environment(vitrine, r, work):
    root = work + "/root"
    value = lambda: r.choice(["x", "a b", '"a  b"', "'c'", '"d', "e # f", '"g # h"', "i'j'", "k=l", "", '""', "m\\n"])
    lines = [r.choice(["V%d=%s", "export V%d=%s", "  V%d=%s  ", "#V%d=%s", "V-%d=%s", "V%d =%s", "V%d %s"]) % (n, value()) for n in range(r.randint(1, 8))]
    write(root + "/etc/environment", "\n".join(lines) + "\n")
    theirs = pam_environment(root + "/etc/environment", work)
    more = ["%s%d=%s" % (r.choice(["W", "  W", "# W"]), n, value().replace('"d', "d")) for n in range(r.randint(0, 5))]
    write(root + "/etc/environment.d/a.conf", "\n".join(more) + "\n")
    env = {"XDG_CONFIG_HOME": root + "/etc", "PATH": os.environ["PATH"]}
    generator = "/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator"
    out = run("sh", "-c", 'eval "$(%s | grep ^W)"; set | grep "^W[0-9]"' % generator, env=env)
    more = sorted(line.split("=")[0] for line in out.stdout.splitlines())
    COMPARED[0] += 1
    ours = inspected(vitrine, root, work).get("environment", [])
    mine = [x["name"] + "=" + x.get("value", "") for x in ours if x["manager"] == "pam_env"]
    if sorted(mine) != sorted(theirs):
        yield "pam_env: %s, vitrine: %s\n%s" % (theirs, mine, "\n".join(lines))
    if os.path.exists(generator) and sorted(x["name"] for x in ours if x["manager"] == "systemd" and "value" in x) != more:
        yield "systemd: %s, vitrine: %s" % (more, ours)


# --------------------------------------------------------------------------------------------------- NetworkManager

def unmanaged(vitrine, r, work):
    root = work + "/root"
    nm = root + "/etc/NetworkManager"
    item = lambda: r.choice(["mac:00:11:22:33:44:55", "interface-name:a*", "interface-name:b", "type:wifi", "except:type:wifi", "x\\;y"])
    line = lambda: "unmanaged-devices%s=%s" % (r.choice(["", "+", "-", "+"]), r.choice(",;").join(item() for _ in range(r.randint(0, 3))))
    text = lambda: "[main]\nplugins=keyfile\n[keyfile]\n" + "".join(line() + "\n" for _ in range(r.randint(0, 2))) + r.choice(["", "# c\n", "[x]\n"])
    dirs = [nm + "/conf.d", root + "/usr/lib/NetworkManager/conf.d"]
    for d in dirs:
        for name in r.sample(["10.conf", "20.conf", "a.conf", "b.bak"], r.randint(0, 3)):
            write(d + "/" + name, text())
    write(nm + "/NetworkManager.conf", text() if r.random() < .7 else "")
    out = run("NetworkManager", "--print-config", "--config", nm + "/NetworkManager.conf", "--config-dir", dirs[0],
              "--system-config-dir", dirs[1], "--intern-config", work + "/none")
    if out.returncode != 0:
        return
    COMPARED[0] += 1
    m = re.search(r"^unmanaged-devices=(.*)", out.stdout, re.M)
    theirs = re.sub(r"(?<!\\)[,;]", " ", m[1]).strip() if m else ""
    ours = inspected(vitrine, root, work).get("unmanaged_devices", "")
    if dict.fromkeys(ours.split()) != dict.fromkeys(theirs.split()):
        yield "NetworkManager: %s, vitrine: %s" % (theirs, ours)


COMPARED = [0]  # trees that the program itself takes
CHECKS = [("cvtsudoers", sudoers), ("ifquery", ifupdown), ("systemd-analyze", sysctl), ("modprobe", modprobe), ("systemctl", environment), ("NetworkManager", unmanaged)]


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
