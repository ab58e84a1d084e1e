#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""tests/test_linux.sh: trees of one question each, and what vitrine inspect --json says of them."""
import json, os, shutil, subprocess, sys

V = os.environ["V"]
checks = failures = 0


def image(files, release="ID=debian\nVERSION_ID=12\n"):
    """An ext4 image of the files: a text, bytes, ("link", target) or None, which is a directory."""
    shutil.rmtree("tree", ignore_errors=True)
    base = {"/bin": None, "/etc/os-release": release, "/etc/fstab": ""}
    for path, content in {**base, **files}.items():
        path = "tree" + path
        os.makedirs(os.path.dirname(path) if content is not None else path, exist_ok=True)
        if isinstance(content, tuple):
            os.symlink(content[1], path)
        elif content is not None:
            with open(path, "wb") as f:
                f.write(content if isinstance(content, bytes) else content.encode())
    if os.path.exists("tree.img"):
        os.unlink("tree.img")
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d", "tree", "tree.img", "8M"],
                   check=True, stdout=subprocess.DEVNULL)
    return "tree.img"


def inspect(files, **more):
    """The system, the exit status, and what was printed on standard error."""
    run = subprocess.run([V, "inspect", "--json", "--no-packages", image(files, **more)], capture_output=True, text=True)
    return json.loads(run.stdout)["operating_systems"][0], run.returncode, run.stderr


def check(what, want, got, more=""):
    global checks, failures
    checks += 1
    if want != got:
        failures += 1
        print("FAILED: %s\n  expected %s\n  got      %s %s" % (what, want, got, more))


def records(what, kind, keys, files, want, status=0, words="", **more):
    """Of each record the members, as text: what has none is left out."""
    system, code, err = inspect(files, **more)
    got = []
    for r in system[kind]:
        values = [r.get(k) for k in keys]
        got.append(" ".join(",".join(v) if isinstance(v, list) else str(v) for v in values if v is not None))
    check(what, want, got)
    check(what + ": status", status, code, err)
    if words:
        check(what + ": " + words, True, words in err, err)


def fact(what, key, files, want, status=0, words="", **more):
    system, code, err = inspect(files, **more)
    check(what, want, system.get(key), err)
    check(what + ": status", status, code, err)
    if words:
        check(what + ": " + words, True, words in err, err)


# ------------------------------------------------------------------------------------------------------- repositories
# What apt-get indextargets --no-release-info of apt 2.6.1 lists of the same files; pacman.conf(5), dnf.conf(5).

APT = "/etc/apt/sources.list"
REPOSITORY = ["type", "enabled", "uris", "suites", "components"]


def apt(what, files, want, status=0, words=""):
    records("apt: " + what, "repositories", REPOSITORY, files, want, status, words)


apt("a CD-ROM's name is one word",
    {APT: "deb cdrom:[Debian GNU/Linux 11.4.0 _Bullseye_ - Official amd64]/ bullseye main contrib\n"},
    ["deb True cdrom:[Debian GNU/Linux 11.4.0 _Bullseye_ - Official amd64]/ bullseye main,contrib"])
apt("options, quotes, escapes, comments, blanks",
    {APT: " deb\t[ arch=amd64 signed-by=/k ]  \"http://a.test/d\"\t\"s\" c1\tc2 # x\n#deb http://no.test/ s c\n"
          "deb-src http://a.test/%64%20e s c#y\n\ndeb [arch=amd64] http://u:p@b.test/ ./\n"},
    ["deb True http://a.test/d s c1,c2", "deb-src True http://a.test/d e s c", "deb True http://b.test/ ./ "])
for what, line, words in (("options", "deb [arch=amd64]http://a.test/d s c", "options that do not end"),
                          ("options at the end", "deb [arch=amd64", "options that do not end"),
                          ("a URI", "deb", "no URI"), ("a bracket", "deb cdrom:[x s c", "no URI"),
                          ("a suite", "deb http://a.test/d#x s c", "no suite"),
                          ("a component", "deb http://a.test/d s", "no component"),
                          ("no component", "deb http://a.test/d p/ c", "components of a path"),
                          ("a type", "DEB http://a.test/d s c", "an unknown type")):
    apt("malformed: " + what, {APT: "deb http://z.test/ s c\n" + line + "\n"}, ["deb True http://z.test/ s c"], 3,
        "line 2: " + words)
apt("names of files",
    {APT + ".d/" + name: "deb http://%d.test/ s c\n" % i for i, name in enumerate((
        "a.list", "a+b.list", "a b.list", ".h.list", "x.list.save", "y:z.list", "q_-.list", "d.list~", "b.LIST",
        "c@d.list", "a..list"))},
    ["deb True http://%d.test/ s c" % i for i in (10, 0, 6, 5)])
STANZA = "Types: deb\nURIs: http://a.test/d\nSuites: s\nComponents: c\n"
for value in ("no", "No", "false", "FALSE", "without", "off", "disable", "0", "00", "0x0", " no ", "no\n# a comment"):
    apt("Enabled: " + repr(value), {APT + ".d/a.sources": STANZA + "Enabled: %s\n" % value},
        ["deb False http://a.test/d s c"])
for value in ("yes", "1", "2", "-1", "", "maybe", "n", "f", "no # x", "no\n #x", "yes\n# no"):
    apt("Enabled: " + repr(value), {APT + ".d/a.sources": STANZA + "Enabled: %s\n" % value},
        ["deb True http://a.test/d s c"])
apt("stanzas",
    {APT + ".d/a.sources": "\n# lead\ntypes: deb deb-src\nURIS: http://a.test/d\n http://b.test/e\nSuites: s\n# x\n t\n"
                           "Components:\n c\n #d\n\n#\n\nTypes: deb\r\nURIs: http://c.test/%64\r\nSuites: ./\r\n\r\n" +
                           STANZA + " \n" + STANZA.replace("a.test", "twice.test")},
    ["deb True http://a.test/d,http://b.test/e s,t c,#d", "deb-src True http://a.test/d,http://b.test/e s,t c,#d",
     "deb True http://c.test/%64 ./ ", "deb True http://twice.test/d s c"])
for what, field, words in (("Types", "Types: deb\n", "no Types"), ("URIs", "URIs: http://a.test/d\n", "no URIs"),
                           ("Suites", "Suites: s\n", "no Suites"), ("Components", "Components: c\n", "no Components")):
    apt("a stanza without " + what, {APT + ".d/a.sources": STANZA.replace(field, "")}, [], 3, words)
apt("a stanza of an unknown type", {APT + ".d/a.sources": STANZA.replace("deb", "deb foo")},
    ["deb True http://a.test/d s c"], 3, "an unknown type")

ARCH = {"release": "ID=arch\n"}
PACMAN = "[options]\nHoldPkg = pacman\n[core]\nInclude = /etc/pacman.d/mirrorlist\n[own]\nServer = file:///r\n"
records("pacman: Include", "repositories", ["name", "uris"],
        {"/etc/pacman.conf": PACMAN + "Include = /etc/pacman.d/m*\nInclude=/etc/pacman.d/none\n",
         "/etc/pacman.d/mirrorlist": "# c\nServer = https://a.test/$repo\n#Server = https://b.test/\n Server=https://c.test/\n",
         "/etc/pacman.d/more": "[third]\nServer = https://d.test/\n"},
        ["core https://a.test/$repo,https://c.test/", "own file:///r,https://a.test/$repo,https://c.test/",
         "third https://d.test/"], **ARCH)
records("pacman: a file that includes itself", "repositories", ["name", "uris"],
        {"/etc/pacman.conf": "[a]\nInclude = /etc/pacman.conf\n"}, ["a "] * 10, 3, "Include: more than", **ARCH)
records("pacman: a pattern of directories", "repositories", ["name", "uris"],
        {"/etc/pacman.conf": "[a]\nInclude = /etc/*/x\n"}, ["a "], 3, "Include: a pattern of directories", **ARCH)

FEDORA = {"release": "ID=fedora\nVERSION_ID=40\n"}
records("dnf: lists, booleans, directories", "repositories", ["name", "enabled", "uris"],
        {"/etc/dnf/dnf.conf": "[main]\nbaseurl=x\n[inline]\nbaseurl=http://i.test/\n", "/etc/yum.conf": ("link", "dnf/dnf.conf"),
         "/etc/yum.repos.d/a.repo": "[a]\nbaseurl=http://a.test/, http://b.test/,http://c.test/\n  http://d.test/\nenabled=off\n",
         "/etc/distro.repos.d/b.repo": "[b]\nmetalink=https://m.test/\nenabled=1\n", "/etc/yum.repos.d/no.conf": "[c]\n"},
        ["inline True http://i.test/", "a False http://a.test/,http://b.test/,http://c.test/,http://d.test/",
         "b True https://m.test/"], **FEDORA)
records("apk: repositories.d", "repositories", ["name", "uris"],
        {"/etc/apk/repositories": "https://a.test/main\n", "/etc/apk/repositories.d/x.list": "@edge https://b.test/\n",
         "/etc/apk/repositories.d/y": "https://no.test/\n"},
        ["https://a.test/main", "edge https://b.test/"], release="ID=alpine\nVERSION_ID=3.20.0\n")
records("opkg", "repositories", ["manager", "name", "uris"],
        {"/etc/opkg.conf": "dest root /\n", "/etc/opkg/distfeeds.conf": "src/gz core https://a.test/p\n# src x y\nsrc b file:///b\n"},
        ["opkg core https://a.test/p", "opkg b file:///b"], release="ID=openwrt\nVERSION_ID=23.05.3\n")

# -------------------------------------------------------------------------------------------------------- boot entries
# GRUB's manual, "default" and "Submenus"; the Boot Loader Specification (UAPI.1), "Sorting"; loader.conf(5).

GRUB = """set default="%s"
if [ x = x ]; then
  set a=b
fi
function load_video {
  insmod vga
}
menuentry 'Ubuntu' --class ubuntu $menuentry_id_option 'simple' {
	linux /vmlinuz
}
submenu 'Advanced options' $menuentry_id_option 'adv' {
	menuentry 'Ubuntu, with Linux 5.15.0-91' --class os $menuentry_id_option 'adv-91' {
		linux /vmlinuz
	}
	submenu "Older" --id=old {
		menuentry "Ubuntu, with Linux 5.4" --id 'adv-54' {
		}
	}
	menuentry 'Rescue' {
	}
}
menuentry 'Memory > test' --id mem {
}
"""


def boot(what, files, want, status=0, **more):
    system, code, err = inspect(files, **more)
    check(what, want, tuple(system.get(k) for k in ("boot_default", "boot_default_id", "boot_next")), err)
    check(what + ": status", status, code, err)


for value, want in (("0", ("Ubuntu", "simple")), ("1>0", ("Ubuntu, with Linux 5.15.0-91", "adv-91")),
                    ("adv>adv-91", ("Ubuntu, with Linux 5.15.0-91", "adv-91")), ("adv>1>0", ("Ubuntu, with Linux 5.4", "adv-54")),
                    ("Advanced options>Rescue", ("Rescue", None)), ("2", ("Memory > test", "mem")), ("mem", ("Memory > test", "mem")),
                    ("Memory > test", ("Memory > test", "mem")), ("9", ("Ubuntu", "simple")), ("gone", ("Ubuntu", "simple")),
                    ("1", ("Advanced options", "adv"))):
    boot("grub: default " + value, {"/boot/grub/grub.cfg": GRUB % value}, want + (None,))
boot("grub: saved_entry and next_entry",
     {"/boot/grub/grub.cfg": "if [ \"${next_entry}\" ] ; then\n set default=\"${next_entry}\"\nelse\n set default=\"${saved_entry}\"\nfi\n" +
                             GRUB.split("\n", 1)[1],
      "/boot/grub/grubenv": "# GRUB Environment Block\nsaved_entry=adv>adv-91\nnext_entry=mem\n####"},
     ("Ubuntu, with Linux 5.15.0-91", "adv-91", "Memory > test"))
M = "0123456789abcdef0123456789abcdef"
BLS = {"/boot/loader/entries/%s-%s.conf" % (M, k): "title Fedora Linux (%s)\nversion %s\nlinux /vmlinuz-%s\n" % (k, k, k)
       for k in ("6.8.5", "6.9.4", "6.10.1", "0-rescue")}
for value, want in (("saved_entry=0", "6.10.1"), ("saved_entry=1", "6.9.4"), ("saved_entry=%s-6.8.5" % M, "6.8.5"), ("kernelopts=x", "6.10.1")):
    boot("grub: blscfg, " + value,
         {**BLS, "/boot/grub2/grub.cfg": "set default=\"${saved_entry}\"\ninsmod blscfg\nblscfg\nmenuentry 'Last' {\n}\n",
          "/boot/grub2/grubenv": "# GRUB Environment Block\n%s\n##" % value},
         ("Fedora Linux (%s)" % want, "%s-%s" % (M, want), None))
SD = {"/boot/loader/entries/arch-%s.conf" % k: "title Arch %s\nversion %s\nlinux /linux\n" % (k, k) for k in ("6.8.1", "6.10.1", "6.9.1")}
SD["/boot/loader/entries/zz.conf"] = "title First\nsort-key a\nversion 1\n"
SD["/boot/loader/entries/zz-2+0-3.conf"] = "title Bad\nsort-key 0\nversion 9\n"
for value, want in (("default arch-*", ("Arch 6.10.1", "arch-6.10.1")), ("default arch-6.[89].1.conf", ("Arch 6.9.1", "arch-6.9.1")),
                    ("timeout 3", ("First", "zz")), ("default none*", ("First", "zz")), ("default *+0*", ("Bad", "zz-2+0-3")),
                    ("default @saved", ("@saved", None))):
    boot("systemd-boot: " + value, {**SD, "/boot/loader/loader.conf": value + "\n"}, want + (None,))

# ------------------------------------------------------------------------------------------------------------- kernels
# kernel-install(8), Unified Kernel Images (UAPI.5), the PE format's section headers, Arch's pkgbase files.


def pe(sections):
    """A PE32+ file for x86-64 without an entry, whose sections are these."""
    head = bytearray(0x400)
    head[0:2], head[0x3c] = b"MZ", 0x40
    head[0x40:0x44] = b"PE\0\0"
    head[0x44:0x48] = (0x8664).to_bytes(2, "little") + len(sections).to_bytes(2, "little")
    head[0x54:0x56] = (0x70).to_bytes(2, "little")
    head[0x58:0x5a] = b"\x0b\x02"
    body = b""
    for i, (name, data) in enumerate(sections):
        at = 0x58 + 0x70 + 40 * i
        head[at:at + 8] = name.ljust(8, b"\0")
        for where, value in ((8, len(data)), (16, len(data)), (20, len(head) + len(body))):
            head[at + where:at + where + 4] = value.to_bytes(4, "little")
        body += data
    return bytes(head) + body


def bzimage(version):
    """The setup header of Documentation/arch/x86/boot.rst: protocol 2.12, 64 bits, kernel_version at 0x300."""
    p = bytearray(0x400)
    p[0x202:0x208] = b"HdrS\x0c\x02"
    p[0x20e:0x210] = (0x100).to_bytes(2, "little")
    p[0x236] = 1
    p[0x300:0x300 + len(version)] = version
    return bytes(p)


KERNEL = ["version", "path", "arch", "initramfs", "modules"]
K = "6.8.1-arch1-1"
MODULES = {"/usr/lib/modules/%s/modules.dep" % K: "", "/lib": ("link", "usr/lib")}
UKI = [(b".osrel", b"ID=arch\n"), (b".uname", K.encode() + b"\n"), (b".linux", bzimage(b"9.9.9 (x)"))]


def kernels(what, files, want, status=0, words=""):
    records("kernels: " + what, "kernels", KERNEL, {**MODULES, **files}, want, status, words)


HAVE = " /usr/lib/modules/" + K
kernels("layout bls", {"/boot/%s/%s/linux" % (M, K): "k", "/boot/%s/%s/initrd" % (M, K): "i"},
        ["%s /boot/%s/%s/linux /boot/%s/%s/initrd%s" % (K, M, K, M, K, HAVE)])
kernels("layout bls, another token, in the ESP", {"/efi/arch/%s/linux" % K: "k"}, ["%s /efi/arch/%s/linux%s" % (K, K, HAVE)])
kernels("a unified kernel", {"/efi/EFI/Linux/x.efi": pe(UKI)}, ["%s /efi/EFI/Linux/x.efi x86_64%s" % (K, HAVE)])
kernels("a unified kernel without .uname", {"/boot/EFI/Linux/x.efi": pe([(b".linux", bzimage(K.encode() + b" (me) #1"))])},
        ["%s /boot/EFI/Linux/x.efi x86_64%s" % (K, HAVE)])
kernels("a unified kernel that says nothing", {"/boot/efi/EFI/Linux/%s-%s+3-1.efi" % (M, K): pe([(b".text", b"x")])},
        ["%s /boot/efi/EFI/Linux/%s-%s+3-1.efi x86_64%s" % (K, M, K, HAVE)])
kernels("a unified kernel that is cut", {"/efi/EFI/Linux/%s.efi" % K: pe(UKI)[:0x408]}, ["%s /efi/EFI/Linux/%s.efi x86_64%s" % (K, K, HAVE)],
        3, "section .uname at 0x408: the file ends at 0x408")
kernels("a unified kernel that is none", {"/efi/EFI/Linux/%s.efi" % K: "x"}, ["%s /efi/EFI/Linux/%s.efi%s" % (K, K, HAVE)], 3, "expected 64")
kernels("two names of a directory", {"/boot/efi/EFI/Linux/x.efi": pe(UKI), "/efi": ("link", "boot/efi")},
        ["%s /boot/efi/EFI/Linux/x.efi x86_64%s" % (K, HAVE)])
kernels("with its modules", {"/usr/lib/modules/%s/vmlinuz" % K: "k"}, ["%s /usr/lib/modules/%s/vmlinuz%s" % (K, K, HAVE)])
kernels("Arch: a bzImage says its version", {"/boot/vmlinuz-linux": bzimage(K.encode() + b" (x)")}, ["%s /boot/vmlinuz-linux x86_64%s" % (K, HAVE)])
kernels("Arch: pkgbase", {"/boot/vmlinuz-linux-lts": "k", "/usr/lib/modules/%s/pkgbase" % K: "linux-lts\n"},
        ["%s /boot/vmlinuz-linux-lts%s" % (K, HAVE)])
kernels("Alpine: a flavour", {"/boot/vmlinuz-lts": "k", "/usr/lib/modules/6.6.30-0-lts/modules.dep": ""},
        ["6.6.30-0-lts /boot/vmlinuz-lts /usr/lib/modules/6.6.30-0-lts"])

# --------------------------------------------------------------------------------------------------------------- users
# nsswitch.conf(5), nss-extrausers, nss-altfiles, systemd's User and Group Records, nss-systemd(8).

HASH = "$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1"
USERS = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\nboth:x:7:7::/:/bin/sh\n", "/etc/group": "root:x:0:\n",
    "/etc/shadow": "root:*:1::::::\nboth:*:1::::::\n",
    "/var/lib/extrausers/passwd": "ubu:x:1000:1000::/home/ubu:/bin/sh\nboth:x:8:8::/:/bin/sh\n",
    "/var/lib/extrausers/shadow": "ubu:%s:1::::::\n" % HASH, "/var/lib/extrausers/group": "ubu:x:1000:\n",
    "/usr/lib/passwd": "core:x:900:900::/var/home/core:/bin/sh\n", "/usr/lib/group": "wheel:x:10:core\nroot:x:0:core\n",
    "/usr/etc/passwd": "suse:x:901:901::/:/bin/sh\n",
    "/etc/userdb/ann.user": json.dumps({"userName": "ann", "uid": 60100, "gid": 60101, "realName": "Ann A", "shell": "/bin/zsh",
                                        "homeDirectory": "/home/ann", "disposition": "regular"}),
    "/etc/userdb/60100.user": ("link", "ann.user"),
    "/etc/userdb/ann.user-privileged": json.dumps({"privileged": {"hashedPassword": [HASH]}}),
    "/usr/lib/userdb/svc.user": json.dumps({"userName": "svc", "uid": 70, "locked": True, "privileged": {"hashedPassword": [HASH]}}),
    "/usr/lib/userdb/adm.group": json.dumps({"groupName": "adm", "gid": 4, "members": ["ann", "core"]}, indent=1),
    "/var/lib/systemd/home/hugo.identity": json.dumps({"privileged": {"hashedPassword": [HASH]}, "userName": "hugo", "uid": 60200,
                                                       "gid": 60200, "signature": [{"data": "x", "key": "y"}]}),
}
USER = ["name", "uid", "gid", "locked", "has_password"]
ROOT, BOTH = "root 0 0 True False", "both 7 7 True False"
UBU, CORE, SUSE = "ubu 1000 1000 False True", "core 900 900 True False", "suse 901 901 True False"
DB = ["ann 60100 60101 False True", "svc 70 70 True True", "hugo 60200 60200 False True"]
for line, want in (("", [ROOT, BOTH]), ("passwd: files extrausers altfiles", [ROOT, BOTH, UBU, CORE]),
                   ("passwd: compat [NOTFOUND=return] files extrausers # altfiles", [ROOT, BOTH, UBU]),
                   ("passwd: extrausers files", [UBU, "both 8 8 True False", ROOT]), ("passwd: files usrfiles sss", [ROOT, BOTH, SUSE]),
                   ("passwd:files systemd", [ROOT, BOTH] + DB), ("passwd: files\npasswd: altfiles", [CORE])):
    records("nsswitch: " + line, "users", USER, {**USERS, "/etc/nsswitch.conf": line + "\n"}, want)
for line, want in (("group: files altfiles", ["root 0 ", "wheel 10 core"]),
                   ("group: files [SUCCESS=merge] altfiles", ["root 0 ", "wheel 10 core", "root 0 core"]),
                   ("group: files systemd extrausers", ["root 0 ", "adm 4 ann,core", "ubu 1000 "])):
    records("nsswitch: " + line, "groups", ["name", "gid", "members"], {**USERS, "/etc/nsswitch.conf": line + "\n"}, want)
records("userdb: a record without a number", "users", ["name"],
        {"/etc/nsswitch.conf": "passwd: systemd\n", "/etc/userdb/x.user": "{\"userName\": \"x\"}"}, [], 3, "no userName, or no number")

# find takes and shows the names of the same databases.
image({**USERS, "/etc/nsswitch.conf": "passwd: files extrausers altfiles systemd\ngroup: files altfiles systemd\n"})
subprocess.run(["debugfs", "-w", "-R", "sif /etc/group uid 900", "tree.img"], check=True, capture_output=True)
subprocess.run(["debugfs", "-w", "-R", "sif /etc/group gid 4", "tree.img"], check=True, capture_output=True)
subprocess.run(["debugfs", "-w", "-R", "sif /etc/shadow uid 60200", "tree.img"], check=True, capture_output=True)
for arguments, want in ((["-user", "core"], "/etc/group core adm\n"), (["-group", "adm"], "/etc/group core adm\n"),
                        (["-user", "hugo"], "/etc/shadow hugo root\n")):
    run = subprocess.run([V, "find", "tree.img", "/etc"] + arguments + ["-printf", "%p %u %g\\n"], capture_output=True, text=True)
    check("find " + " ".join(arguments), (0, want), (run.returncode, run.stdout), run.stderr)

# -------------------------------------------------------------------------------------------- what is cut is reported

WHOLE = "Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n"


def packages(what, status, want, code, words):
    run = subprocess.run([V, "inspect", "--json", image({"/var/lib/dpkg/status": status})], capture_output=True, text=True)
    got = json.loads(run.stdout)["operating_systems"][0]["packages"]
    check("dpkg: " + what, (want, code, True), ([p["name"] for p in got], run.returncode, words in run.stderr), run.stderr)


# dpkg-query 1.21.22 refuses the second: "end of file during value of field 'Version' (missing final newline)".
packages("a whole file", WHOLE, ["a"], 0, "")
packages("a file that is cut", WHOLE + "\n" + WHOLE.replace("a\n", "b\n", 1)[:-3], ["a", "b"], 3, "the last line does not end")

# MORE
print("%d checks, %d failures" % (checks, failures))
sys.exit(failures > 0)
