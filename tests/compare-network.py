#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random files of netplan and NetworkManager: what vitrine makes of them against netplan get and nmcli --offline.

usage: compare-network.py VITRINE [SEED [COUNT]]

Prints the seed of each tree that is told differently, and how. Status 77: a tool is missing.
"""
import json, os, random, re, shutil, subprocess, sys, tempfile


def run(*argv, **more):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", **more)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", newline="") as f:
        f.write(text)
    os.chmod(path, 0o600)


def interfaces(vitrine, root, work):
    write(root + "/usr/lib/os-release", "ID=debian\nVERSION_ID=12\n")
    os.makedirs(root + "/etc", exist_ok=True)
    os.makedirs(root + "/usr/bin", exist_ok=True)
    os.symlink("usr/bin", root + "/bin")
    os.symlink("../usr/lib/os-release", root + "/etc/os-release")
    image = work + "/img"
    if os.path.exists(image):
        os.unlink(image)
    out = run("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d", root, image, "4M")
    assert out.returncode == 0, out.stderr
    out = run(vitrine, "inspect", "--json", "--no-packages", image)
    assert out.returncode in (0, 3), out.stderr
    system = json.loads(out.stdout)["operating_systems"][0]
    return {i["name"]: i for i in system.get("interfaces", [])}


# ---------------------------------------------------------------------------------------------------------- netplan

def netplan_address(r):
    return r.choice(["10.0.0.%d/8" % r.randint(1, 5), "'2001:db8::%d/64'" % r.randint(1, 3)])


def netplan_def(r, gateway):
    """Lines of one interface, without its indentation."""
    out = []
    if r.random() < .5:
        out.append("dhcp4: " + r.choice(["true", "false", "yes", "no", "on", "off", "TRUE", "No"]))
    if r.random() < .3:
        out.append("dhcp6: " + r.choice(["true", "false"]))
    if r.random() < .6:
        a = [netplan_address(r) for _ in range(r.randint(1, 3))]
        out += ["addresses: [%s]" % ", ".join(a)] if r.random() < .5 else ["addresses:  # c"] + ["- %s" % x for x in a]
    if r.random() < .4:
        d = ["192.0.2.%d" % r.randint(1, 4) for _ in range(r.randint(1, 2))]
        out += ["nameservers: {addresses: [%s]}" % ",".join(d)] if r.random() < .5 else \
               ["nameservers:", "  addresses:"] + ["    - %s" % x for x in d] + ["  search: [x.org]"]
    if r.random() < .3:
        out += ["macaddress: 00:11:22:33:44:%02d" % r.randint(10, 12)]
    if r.random() < .3 and gateway:
        out += ["routes:", "- to: " + r.choice(["default", "0.0.0.0/0"]), "  via: " + gateway, "- {to: 172.16.0.0/12, via: 10.0.0.9}"]
    return out or ["optional: true"]


def netplan_tree(r, root):
    os.makedirs(root + "/etc/netplan")
    for n in r.sample(["10-a.yaml", "20-b.yaml", "30-c.yaml", "40-d.yml"], r.randint(1, 4)):
        for d in r.sample(["etc", "lib"], r.randint(1, 2)):
            step = " " * r.randint(1, 4)
            lines = ["network:", step + "version: 2"]
            for kind, names in [("ethernets", ["eth0", "eth1", "'eth2'"]), ("dummy-devices", ["d0"])][:1]:
                lines.append(step + kind + ":")
                anchors = []
                for i in r.sample(names, r.randint(1, 3)):
                    if anchors and r.random() < .3:
                        lines.append(step * 2 + i + ": *" + r.choice(anchors))
                        continue
                    anchors.append("a%d" % len(anchors))
                    lines.append(step * 2 + i + ": " + r.choice(["", "&" + anchors[-1]]))
                    if not lines[-1].endswith(anchors[-1]):
                        anchors.pop()
                    lines += [step * 3 + x for x in netplan_def(r, "10.0.0.9" if i == "eth0" else None)]
                    lines += [step * 3 + x for x in r.choice([[], [], ["optional-addresses: !!seq &l [ipv4-ll]"], ["macaddress: >-", "  00:11:22:33:44:55"],
                                                               ["critical: !!bool true"], ["addresses: &m", "- &n 10.1.1.1/8", "- 10.1.1.2/8"],
                                                               ["addresses: [&n 10.1.1.1/8, *n, 10.1.1.3/8]"], ["addresses: &m [10.1.1.1/8]"]])]
                    if any("&m" in x for x in lines[-3:]) and r.random() < .7:
                        lines += [step * 2 + "eth9:", step * 3 + r.choice(["addresses: *m", "addresses: [*n]" if "&n" in " ".join(lines[-3:]) else "addresses: *m"])]
            if r.random() < .3:
                lines.insert(0, "# a comment")
            write("%s/%s/netplan/%s" % (root, d, n), "\n".join(lines) + "\n")
    # The host keeps its libraries elsewhere when /lib is a link: then netplan reads both.
    return root


def netplan(vitrine, r, work):
    import yaml
    root = work + "/root"
    netplan_tree(r, root)
    out = run("netplan", "get", "--root-dir", root, "all")
    if out.returncode != 0:
        return
    theirs = (yaml.safe_load(out.stdout) or {}).get("network", {}).get("ethernets", {})
    ours = interfaces(vitrine, root, work)
    if set(ours) != set(theirs):
        yield "netplan: %s, vitrine: %s" % (sorted(theirs), sorted(ours))
    for name, t in theirs.items():
        o = ours.get(name, {})
        v4 = any(":" not in a for a in t.get("addresses", []))
        v6 = any(":" in a for a in t.get("addresses", []))
        want = {
            "method": "dhcp" if t.get("dhcp4") else "static" if v4 else None,
            "method6": "dhcp" if t.get("dhcp6") else "static" if v6 else None,
            "addresses": t.get("addresses", []), "dns": t.get("nameservers", {}).get("addresses", []), "mac": t.get("macaddress"),
            "gateways": [x["via"] for x in t.get("routes", []) if x["to"] in ("default", "0.0.0.0/0")],
        }
        want["gateways"] = list(dict.fromkeys(want["gateways"]))
        for key, value in want.items():
            if o.get(key) != value:
                yield "netplan: %s: %s: %s, vitrine: %s" % (name, key, value, o.get(key))


# --------------------------------------------------------------------------------------------------- NetworkManager

def keyfile(r):
    out = ["[connection]", "id=c\\s%d" % r.randint(0, 9), "type=ethernet"]
    if r.random() < .5:
        out.append(r.choice(["interface-name=eth0", " interface-name = eth1", "Interface-Name=eth2"]))
    if r.random() < .2:
        out.append(r.choice(["# c", "  # c", ""]))
    if r.random() < .5:
        out += ["[ethernet]", "mac-address=00:11:22:33:44:55"]
    out += ["[ipv4]", "method=" + r.choice(["manual", "auto"])]
    for _ in range(r.randint(1, 4)):
        key = r.choice(["address", "addresses"]) + r.choice(["", "1", "2", "10", "3", "01"])
        ip, via = "10.0.%d.%d" % (r.randint(0, 9), r.randint(1, 9)), "10.0.0.%d" % r.randint(100, 109)
        out.append(key + "=" + r.choice([ip + "/24", ip + "/8," + via, ip + ";16;" + via + ";", ip, ip + ";24;0.0.0.0;", ip + "/33", "x/8"]))
    if r.random() < .3:
        out.append(r.choice(["gateway=10.9.9.9", "Gateway=10.9.9.8"]))
    if r.random() < .5:
        out.append("dns=" + r.choice(["192.0.2.1;192.0.2.2;", "192.0.2.3"]))
    return "\n".join(out) + "\n"


def networkmanager(vitrine, r, work):
    root, text = work + "/root", keyfile(r)
    write(root + "/etc/NetworkManager/system-connections/c.nmconnection", text)
    # A connection of the method "manual" without an address is refused: that is another question.
    out = run("nmcli", "--offline", "connection", "modify", "connection.autoconnect", "yes", input=text)
    if out.returncode != 0:
        return
    t, section = {}, ""
    for line in out.stdout.splitlines():
        if line.startswith("["):
            section = line[1:-1]
        elif "=" in line:
            t[section, line.split("=", 1)[0]] = line.split("=", 1)[1]
    ours = interfaces(vitrine, root, work)
    name = t.get(("connection", "interface-name"), t["connection", "id"])
    addresses = [v for (s, k), v in t.items() if s == "ipv4" and re.fullmatch(r"address\d+", k)]
    want = {"addresses": [a.split(",")[0] for a in addresses], "mac": t.get(("ethernet", "mac-address")),
            "gateways": [a.split(",")[1] for a in addresses if "," in a] or [t[k] for k in [("ipv4", "gateway")] if k in t],
            "dns": [d for d in t.get(("ipv4", "dns"), "").split(";") if d]}
    if list(ours) != [name]:
        yield "NetworkManager: %s, vitrine: %s" % ([name], list(ours))
        return
    for key, value in want.items():
        if ours[name].get(key) != value:
            yield "NetworkManager: %s: %s, vitrine: %s\n%s" % (key, value, ours[name].get(key), text)


def main():
    vitrine, first = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    if not shutil.which("mke2fs"):
        print("SKIPPED: no mke2fs")
        return 77
    checks = []
    for tool, check in [("netplan", netplan), ("nmcli", networkmanager)]:
        try:
            import yaml  # noqa: F401
            if shutil.which(tool):
                checks.append(check)
                continue
        except ImportError:
            pass
        print("SKIPPED: no %s, or no yaml of Python's" % tool)
    bad = 0
    with tempfile.TemporaryDirectory(prefix="vitrine-network-") as work:
        for seed in range(first, first + count):
            for check in checks:
                shutil.rmtree(work + "/root", ignore_errors=True)
                os.makedirs(work + "/root")
                for line in check(vitrine, random.Random("%s %d" % (check.__name__, seed)), work):
                    print("seed %d: %s" % (seed, line))
                    bad += 1
    print("%d trees, %d differences" % (count * len(checks), bad))
    return 1 if bad else 0 if checks else 77


if __name__ == "__main__":
    sys.exit(main())
