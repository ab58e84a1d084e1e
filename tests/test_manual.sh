#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The manual pages against the program: every example runs and prints what the page shows, every option and every JSON
# member is documented and is there, and the limits are those of the header.
set -euo pipefail

cd "$(dirname "$0")/.."
# shellcheck source=tests/manual-guest.sh
. tests/manual-guest.sh
# shellcheck source=tests/windows-guest.sh
. tests/windows-guest.sh
need mke2fs debugfs sfdisk qemu-img python3
command=$(realpath "${VTR_COMMAND:-build/release/vitrine}")
top=$PWD
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# shellcheck source=tests/environment.sh
. tests/environment.sh
export PATH=$dir/bin:$PATH

if command -v mandoc >/dev/null; then
	for page in docs/man/*; do
		mandoc -T lint -W warning "$page"
	done
else
	echo "mandoc is not installed: the pages are not linted"
fi

mkdir "$dir/bin" "$dir/images"
ln -s "$command" "$dir/bin/vitrine"
cd "$dir/images"
manual_guest

# What the examples' images do not have, so that every member is printed once: an MBR disk that its table overstates,
# a filesystem that is not read, device nodes, a name that is not UTF-8, inline and reserved contents,
# a time of installation.
manual_tree tree '\267\0'
manual_records tree
printf "VARIANT_ID=server\nBUILD_ID=20240506\n" >>tree/usr/lib/os-release
sed -i 's/^Package: libc6$/&\nInstalled-Time: 1714979289/' tree/var/lib/dpkg/status # which opkg writes
touch tree/etc/$'caf\xe9'
printf '%08192d' 0 >tree/etc/reserved
mkdir -p tree/var/log/journal/small
cp "$top/fuzz/seeds/journal/regular" tree/var/log/journal/small/system.journal
truncate -s 12M odd.fs
mke2fs -q -F -t ext4 -O bigalloc,inline_data,^has_journal -L odd -M /srv -d tree odd.fs
cat >odd.cmd <<'END'
cd /etc
mknod null c 1 3
fallocate reserved 16 31
sif reserved size 131072
ssv mtime 20240506070809
END
debugfs -w -f odd.cmd odd.fs >/dev/null 2>&1
truncate -s 20M odd.raw
printf 'label: dos\nstart=2048, size=24576, type=83, bootable\nstart=28672, type=83\n' | sfdisk -q odd.raw
dd if=odd.fs of=odd.raw bs=1M seek=1 conv=notrunc status=none
printf XFSB | dd of=odd.raw bs=1M seek=14 conv=notrunc status=none
truncate -s 19M odd.raw
for kind in win11 server2022 xp; do
	windows_fs $kind $kind.fs 16M
done
qemu-img create -q -f qcow2 -o data_file=far.raw,data_file_raw=on far.qcow2 1M
qemu-img create -q -f qcow2 locked.qcow2 1M
printf '\0\0\0\001' | dd of=locked.qcow2 bs=1 seek=32 conv=notrunc status=none # crypt_method: AES
printf '<?xml version="1.0"?><plist><string>com.apple.diskimage.sparsebundle</string></plist>' >unread.img
xz -dc "$top/tests/images/ntfs-full.img.xz" >ntfs.raw
xz -dc "$top/tests/images/lvm2-1.img.xz" >lvm2.raw
truncate -s 1M unread.img
qemu-img create -q -f vmdk below.vmdk 1M
qemu-img create -q -f vmdk -b below.vmdk -F vmdk above.vmdk
cp guest.qcow2 marked.qcow2
qemu-img bitmap --add marked.qcow2 changes

# Two deployments of OSTree, and the menu that names them.
for n in 1 2; do
	manual_tree "os/ostree/deploy/test/deploy/abc$n.0" '\267\0'
	mkdir -p os/boot/loader/entries os/ostree/boot.0 "os/ostree/deploy/test/deploy/abc$n.0/sysroot"
	ln -s "../deploy/test/deploy/abc$n.0" "os/ostree/boot.0/$n"
	printf 'title %s\nversion %s\noptions ostree=/ostree/boot.0/%s\n' $n $n $n >os/boot/loader/entries/ostree-$n.conf
	printf '[origin]\nrefspec=test/os\n' >"os/ostree/deploy/test/deploy/abc$n.0.origin"
done
truncate -s 16M ostree.fs
mke2fs -q -F -t ext4 -d os ostree.fs

# Ubuntu Core's writable partition, and a NixOS of two generations.
mkdir -p core/system-data/var/lib/snapd store/nix/var/nix/profiles store/nix/store/a/etc
printf 'base=core20_3.snap\ncurrent_kernels=pc-kernel_5.snap\nmodel=a/b\ngrade=signed\n' >core/system-data/var/lib/snapd/modeenv
echo ID=nixos >store/nix/store/a/etc/os-release
ln -s /nix/store/a store/nix/var/nix/profiles/system-1-link
ln -s /nix/store/a store/nix/var/nix/profiles/system-2-link
ln -s system-2-link store/nix/var/nix/profiles/system
truncate -s 8M core.fs nix.fs
mke2fs -q -F -t ext4 -d core core.fs
mke2fs -q -F -t ext4 -d store nix.fs

# A system drive of Windows that holds its registry and no more, and hives for the members that are not in it.
python3 "$top/tests/mk-hive.py" guest windows
truncate -s 16M windows.img
mke2fs -q -F -t ext4 -d windows windows.img
mv windows/Users/eva/NTUSER.DAT .
python3 "$top/tests/mk-hive.py" hives .
python3 "$top/tests/mk-hive.py" lost cut.hive

cd "$dir"
python3 - "$top" <<'END'
import collections, json, os, re, subprocess, sys

top = sys.argv[1]
images = "images"
failed = []


def fail(page, text):
    failed.append("%s: %s" % (page, text))


def read(path):
    with open(os.path.join(top, path), encoding="utf-8") as f:
        return f.read()


def run(args, **more):
    return subprocess.run(args, cwd=images, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=120, **more)


def sections(text):
    out, name = {}, None
    for line in text.split("\n"):
        if line.startswith(".Sh "):
            name = line[4:]
            out[name] = []
        elif name:
            out[name].append(line)
    return out


def plain(line):
    return re.sub(r"^\\&", "", line).replace("\\e", "\\")


def displays(lines):
    """The literal blocks of a section."""
    out, block = [], None
    for line in lines:
        if line.startswith(".Bd -literal"):
            block = []
        elif line == ".Ed":
            out.append(block)
            block = None
        elif block is not None:
            block.append(plain(line))
    return out


def examples(blocks):
    """Commands, each with the lines that it is said to print."""
    out = []
    for block in blocks:
        for line in block:
            if line.startswith("$ "):
                out.append((line[2:], []))
            elif out:
                out[-1][1].append(line)
    return out


def same(shown, got):
    """Whether got is what is shown, where a line with three dots stands for any lines."""
    if not shown:
        return not got
    if shown[0] == "…":
        return any(same(shown[1:], got[i:]) for i in range(len(got) + 1))
    return bool(got) and shown[0] == got[0] and same(shown[1:], got[1:])


def check_example(page, command, shown):
    r = run(["bash", "-o", "pipefail", "-c", command])
    got = r.stdout.decode("utf-8", "replace").split("\n")
    if got[-1] == "":
        got.pop()
    if r.returncode != 0 or r.stderr:
        fail(page, "$ %s: exit status %d: %s" % (command, r.returncode, r.stderr.decode(errors="replace")))
    elif not same(shown, got):
        fail(page, "$ %s: it prints\n%s\nnot\n%s" % (command, "\n".join(got), "\n".join(shown)))


def page_options(lines):
    out = set()
    for line in lines:
        if line.startswith(".It Fl "):
            for word in re.split(r"\s+,\s+", re.split(r"\s(?:Ar|Ns)\s", line[7:])[0]):
                out.add("-" + word.strip())
    return out


def help_options(verb):
    r = run(["vitrine", verb, "-h"])
    out = set()
    if r.returncode != 0:
        fail(verb, "-h: exit status %d" % r.returncode)
    for line in r.stdout.decode().split("\n"):
        if re.match(r" +-", line):
            out |= set(re.findall(r"(?:^|[ ,])(--?[A-Za-z0-9][A-Za-z0-9-]*)", line[:23]))
    return out


# ----------------------------------------------------------------------------------------------------- JSON members

def page_members(lines):
    out = {}
    for i, line in enumerate(lines):
        if line.startswith(".It Va "):
            out[line[7:].strip()] = lines[i + 1].startswith("Optional:")
    return out


def walk(value, path, leaves, objects):
    if path in ("a_record", "b_record"):  # whose members are another page's
        leaves.add(path + ".*")
    elif isinstance(value, dict):
        path = path + "." if path else ""
        objects.setdefault(path, []).append(set(value))
        for key, v in value.items():
            # The keys of sources are those of the facts.
            walk(v, path + ("*" if path == "fields." or path.endswith(".sources.") else key), leaves, objects)
    elif isinstance(value, list):
        for v in value:
            walk(v, path + "[]", leaves, objects)
    else:
        leaves.add(path)


def below_chain(documents):
    """The images of a chain have the members of an image, but for chain."""
    out = []
    for d in [image for document in documents for image in document["images"]]:
        out += [d] + [dict(c, chain=[{}]) for c in d.get("chain", [])]
        for image in out:
            if image["format"] != "qcow2":  # the page names those of qcow2 alone
                image["format_specific"] = {}
        d["chain"] = [{} for c in d.get("chain", [])]
    return [{"images": out}]


# What images of formats have that the tools here do not write; tests of those formats see to it.
elsewhere = {"docs/man/vitrine-info.1": ["images[]." + m for m in ("physical_sector", "id", "creator", "outer")],
             "docs/man/vitrine-log.1": ["facility", "msgid", "structured_data"]}


def check_members(page, lines, documents):
    documented = page_members(lines)
    leaves, objects = set(), {}
    for d in documents:
        walk(d, "", leaves, objects)
    for path in sorted(leaves):
        if path not in documented and not (path.endswith("_hex") and path[:-4] in documented):
            fail(page, "member %s is printed and not documented" % path)
    for path, optional in sorted(documented.items()):
        parent, _, key = path.rpartition(".")
        parent = parent + "." if parent else ""
        prefix = tuple(path + c for c in ".[")
        if path not in leaves and not any(p.startswith(prefix) for p in leaves) and path != "images[].chain[]" \
                and path not in elsewhere.get(page, []):
            fail(page, "member %s is documented and never printed" % path)
        if not optional and "[" not in key and key != "*" and "*" not in path:
            if any(key not in o for o in objects.get(parent, [])):
                fail(page, "member %s is not always there, and not documented as optional" % path)


def documents(verb, lines, *runs):
    out = []
    for args in runs:
        r = run(["vitrine", verb, "--json"] + list(args))
        if r.returncode not in (0, 1 if verb == "diff" else 0, 3):
            fail(verb, "%s: exit status %d: %s" % (" ".join(args), r.returncode, r.stderr.decode(errors="replace")))
            continue
        text = r.stdout.decode("utf-8")
        out += [json.loads(t) for t in text.split("\n") if t] if lines else [json.loads(text)]
    return out


def sides(documents):
    """The second side of a difference has the members of the first."""
    return [dict(d, a=d[s], b=0) for d in documents for s in "ab" if s in d] + [d for d in documents if "path" not in d]


def greps():
    """The pattern comes before the image; files that are binary, and counts, are asked for, too."""
    out = []
    for args in (["-r", "ext4", "guest.qcow2", "/etc"], ["-rc", "ext4", "guest.qcow2", "/etc"], ["ELF", "guest.qcow2", "/bin/bash"],
                 ["-c", "", "odd.raw", b"/etc/caf\xe9"]):
        out += documents("grep", True, args)
    return out


def unread():
    """Of a format that is not read little is told; the rest of what info prints is taken from another image."""
    r = run(["vitrine", "info", "--json", "unread.img"])
    d = json.loads(r.stdout.decode("utf-8"))["images"][0]
    if r.returncode != 1 or sorted(d) != ["allocated_size", "file_size", "format", "not_read", "path", "title"]:
        fail("info", "unread.img: exit status %d, %s" % (r.returncode, d))
    other = documents("info", False, ["guest.qcow2"])[0]["images"][0]
    return [{"images": [dict(other, **d)]}]


def compare():
    """A difference is its own exit status."""
    r = run(["vitrine", "compare", "--json", "guest.qcow2", "odd.raw"])
    if r.returncode != 1:
        fail("compare", "exit status %d" % r.returncode)
    return [json.loads(r.stdout.decode("utf-8"))] + documents("compare", False, ["guest.qcow2", "guest.qcow2"])


shapes = {
    "compare": compare,
    "map": lambda: documents("map", True, ["guest.qcow2"], ["odd.raw"], ["--follow", "overlay.qcow2"]),
    "grep": greps,
    "inspect": lambda: documents("inspect", False, ["guest.qcow2"], ["odd.raw"], ["win11.fs"], ["server2022.fs"], ["xp.fs"],
                                    ["ostree.fs"], ["core.fs"], ["nix.fs"]),
    "info": lambda: below_chain(documents("info", False, ["guest.qcow2"], ["--follow", "overlay.qcow2"],
                                          ["overlay.qcow2"], ["snap.qcow2"], ["odd.raw"], ["far.qcow2"],
                                          ["--follow", "far.qcow2"], ["--follow", "above.vmdk"], ["--measure", "guest.qcow2"], ["locked.qcow2"],
                                          ["marked.qcow2"]) + unread()),
    "layout": lambda: documents("layout", False, ["guest.qcow2"], ["odd.raw"], ["ntfs.raw"], ["lvm2.raw"]),
    "df": lambda: documents("df", False, ["guest.qcow2"], ["odd.raw"]),
    "ls": lambda: documents("ls", True, ["-R", "guest.qcow2"], ["-R", "odd.raw"]),
    "find": lambda: documents("find", True, ["guest.qcow2"], ["odd.raw"]),
    "stat": lambda: documents("stat", False, ["--extents", "guest.qcow2", "/etc/hostname", "/etc/os-release", "/etc"],
                              ["--extents", "odd.raw", b"/etc/caf\xe9", "/etc/null", "/etc/hostname", "/etc/reserved"],
                              ["--streams", "--security", "ntfs.raw", "/facts", "/small", "/packed/text", "/to-dir",
                               "/names/Mixed Case Name.Text"]),
    "log": lambda: documents("log", True, ["guest.qcow2"], ["odd.raw"], ["--list-boots", "odd.raw"]),
    "diff": lambda: sides(documents("diff", True, ["--files", "--packages", "--facts", "guest.qcow2", "odd.raw"],
                                    ["--packages", "guest.qcow2", "upgraded.qcow2"])),
    "reg": lambda: documents("reg", True, ["export", "first"], ["export", "odd"], ["export", "--deleted", "deleted"],
                             ["export", "cut.hive"], ["find", "first", "", "multi"], ["get", "first", "types", "sz"],
                             ["get", "--security", "first", "types"]),
    "hash": lambda: documents("hash", True, ["-R", "guest.qcow2"], ["-R", "odd.raw"]),
}

# ----------------------------------------------------------------------------------------------------- all the pages

verbs = re.findall(r"^  (\w+) +[A-Z][a-z]", run(["vitrine", "--help"]).stdout.decode(), re.M)
main = sections(read("docs/man/vitrine.1"))
counts = collections.Counter()
commands = 0
lines_of = set()  # verbs whose pages say that they print JSON Lines
for verb in verbs:
    name = "docs/man/vitrine-%s.1" % verb
    page = sections(read(name))
    if re.search(r"one JSON object a line|JSON Lines", "\n".join(page["OPTIONS"])):
        lines_of.add(verb)
    if not any(line.startswith(".Xr vitrine-%s 1" % verb) for line in main["SEE ALSO"]):
        fail("docs/man/vitrine.1", "SEE ALSO has no vitrine-%s(1)" % verb)
    if ".Xr vitrine-%s 1 ." % verb not in main["DESCRIPTION"]:
        fail("docs/man/vitrine.1", "verb %s is not listed" % verb)
    for s in ("DESCRIPTION", "OPTIONS", "OUTPUT", "EXIT STATUS", "EXAMPLES", "SEE ALSO"):
        if s not in page:
            fail(name, "no section %s" % s)
    told, there = page_options(page["OPTIONS"]), help_options(verb)
    for option in sorted(told ^ there):
        fail(name, "option %s is %s" % (option, "not in the help" if option in told else "not documented"))
    counts.update(there)
    list_ = examples(displays(page["EXAMPLES"]))
    if not list_:
        fail(name, "no example")
    for command, shown in list_:
        check_example(name, command, shown)
    commands += len(list_)
    if verb in shapes:
        check_members(name, page["OUTPUT"], shapes[verb]())
    elif page_members(page["OUTPUT"]):
        fail(name, "members are documented, and none is checked")
# Common is what most verbs have; the others refuse it, as it would have no effect.
common = {option for option, n in counts.items() if 2 * n > len(verbs)}
for option in sorted(page_options(main["OPTIONS"]) ^ common):
    fail("docs/man/vitrine.1", "option %s is documented here or common to all verbs, not both" % option)
for command, shown in examples(displays(main["EXAMPLES"])):
    check_example("docs/man/vitrine.1", command, shown)
    commands += 1
told = re.search(r"what can be long\n\.Pq Cm ([a-z ,]+) ,\n", read("docs/man/vitrine.1"))
told = set(re.split(" , ", told.group(1))) if told else set()
if told != lines_of:
    fail("docs/man/vitrine.1", "verbs that print an object a line: %s" % sorted(told ^ lines_of))
there = set(re.search(r"--format nope: read are (.*)", run(["vitrine", "info", "--format", "nope", "x"]).stderr.decode())
            .group(1).split(", "))
told = re.search(r"^\.It Fl -format Ar name\n(.*?)\nGive it", read("docs/man/vitrine.1"), re.M | re.S).group(1)
told = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^\.Cm (.*)$", told, re.M))))
if told != there:
    fail("docs/man/vitrine.1", "--format takes others than are listed: %s" % sorted(told ^ there))
for page in os.listdir(os.path.join(top, "docs/man")):
    for other, section in re.findall(r"^\.Xr (vitrine\S*) (\d)", read("docs/man/" + page), re.M):
        if not os.path.exists(os.path.join(top, "docs/man", "%s.%s" % (other, section))):
            fail("docs/man/" + page, "there is no page %s(%s)" % (other, section))

# ------------------------------------------------------------------------------------------- limits, library, README

header = read("api/vitrine.h")
limits = {n: eval(v) for n, v in re.findall(r"\tX\((\w+), ([0-9 <]+)\)", header)}
told = {n: int(v) for n, v in re.findall(r"^\.It Cm (\w+) Pq (\d+)$", "\n".join(main["LIMITS"]), re.M)}
if told != limits:
    fail("docs/man/vitrine.1", "LIMITS are not those of vitrine.h: %s" % sorted(set(told.items()) ^ set(limits.items())))
told = {n: int(v) for n, v in re.findall(r"^\| `(\w+)` \| (\d+) \|", read("SECURITY.md"), re.M)}
if told != limits:
    fail("SECURITY.md", "the limits are not those of vitrine.h: %s" % sorted(set(told.items()) ^ set(limits.items())))

library = sections(read("docs/man/vitrine.3"))
for name in re.findall(r"^\.Fn (\w+)", read("docs/man/vitrine.3"), re.M):
    if not re.search(r"\b%s\(" % name, header):
        fail("docs/man/vitrine.3", "no function is named %s" % name)
for code in re.findall(r"^\t(VTR_E\w+)", header[header.index("enum vtr_code {"):header.index("struct vtr_error {")], re.M):
    if code not in read("docs/man/vitrine.3"):
        fail("docs/man/vitrine.3", "the code %s is not told" % code)
if ["\n".join(b) + "\n" for b in displays(library["EXAMPLES"])] != [read("docs/examples/inspect.c")]:
    fail("docs/man/vitrine.3", "its example is not docs/examples/inspect.c")

# Commands in the README whose image is one of ours.
blocks = [b.rstrip("\n").split("\n") for b in re.findall(r"^```console\n(.*?)^```", read("README.md"), re.M | re.S)]
for command, shown in examples(blocks):
    if re.search(r"\b(guest|overlay|snap)\.qcow2", command):
        check_example("README.md", command, shown)
        commands += 1

# --------------------------------------------------------------------------------------- names of drivers, and files

text = read("docs/formats.md")
drivers = re.findall(r"^KNOWN\(\w+, \"(\S+)\", \"", read("fs/known.c"), re.M)
drivers += re.findall(r"^KNOWN\((\w+), \"", read("partitions/known.c"), re.M)
drivers += re.findall(r"^#define (?:FORMATS|PARTITIONS|DRIVERS)\(X\) +(?:\\\s+)?X\((\w+)\)",
                      read("formats/formats.c") + read("partitions/partitions.c") + read("fs/fs.c"), re.M)
for name in drivers:
    if "`%s`" % name not in text:
        fail("docs/formats.md", "driver %s has no row" % name)

pages = ["README.md", "SECURITY.md", "CONTRIBUTING.md"]
pages += ["docs/" + d for d in os.listdir(os.path.join(top, "docs")) if d.endswith(".md")]
for page in pages:
    for path in re.findall(r"`((?:[a-z]+/)+[\w.-]*)`", read(page)):
        made = path.startswith("build/") or "tiny" in path or "NAME" in path or path == "fuzz/regress/"
        if not made and not os.path.exists(os.path.join(top, path)):
            fail(page, "there is no %s" % path)

for line in failed:
    print(line)
print("%d pages, %d examples, %d limits, %d drivers: %d failures"
      % (len(verbs) + 2, commands, len(limits), len(drivers), len(failed)))
sys.exit(bool(failed))
END
