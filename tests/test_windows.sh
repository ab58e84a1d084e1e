#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Windows guests whose hives are made by hand: what inspection tells of them, against what virt-inspector 1.48.6 told of
# the same disks (it does not know Windows 11, and lists nothing that is one user's); paths as Windows writes them; hives
# that are missing, or damaged.
set -euo pipefail

V=$(realpath "${VTR_COMMAND:-build/release/vitrine}")
cd "$(dirname "$0")/.."
# shellcheck source=tests/windows-guest.sh
. tests/windows-guest.sh
make=$PWD/tests/mk-windows.py
# shellcheck source=tests/environment.sh
. tests/environment.sh
for tool in mke2fs debugfs sfdisk python3; do
	command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
die() { echo "FAILED: $*" >&2; exit 1; }

# Each line of "virt": what virt-inspector printed; "more" is ours alone.
cat >check.py <<'X'
import json, sys
virt = {
    "win7.raw": {"root": "/dev/sda1", "type": "windows", "arch": "x86_64", "distro": "windows", "product_name": "Windows 7 Professional",
                 "variant": "Client", "major_version": "6", "minor_version": "1", "control_set": "ControlSet001", "hostname": "seven",
                 "osinfo": "win7"},
    "win11.raw": {"root": "/dev/sda2", "type": "windows", "arch": "x86_64", "distro": "windows", "variant": "Client",
                  "major_version": "10", "minor_version": "0", "control_set": "ControlSet001", "hostname": "wonderland-pc"},
    "xp.raw": {"root": "/dev/sda1", "type": "windows", "arch": "i386", "distro": "windows", "product_name": "Microsoft Windows XP",
               "major_version": "5", "minor_version": "1", "control_set": "ControlSet002", "hostname": "oldbox", "osinfo": "winxp"},
    "server2022.raw": {"root": "/dev/sda2", "type": "windows", "arch": "x86_64", "distro": "windows",
                       "product_name": "Windows Server 2022 Standard", "variant": "Server Core", "major_version": "10",
                       "minor_version": "0", "control_set": "ControlSet001", "hostname": "dc1", "osinfo": "win2k22"},
}
drives = {"win7.raw": {"C:": "/dev/sda1", "D:": "/dev/sda2"}, "xp.raw": {"C:": "/dev/sda1", "D:": "/dev/sda2"},
          "win11.raw": {"C:": "/dev/sda2", "D:": "/dev/sda3"}, "server2022.raw": {"C:": "/dev/sda2", "D:": "/dev/sda3"}}
vista = {("7-Zip", "7-Zip 23.01 (x64)", "23.01", "C:\\Program Files\\7-Zip\\", "Igor Pavlov", None),
         ("Mozilla Firefox", "Mozilla Firefox (x86 it)", "115.0", None, None, "A browser"),
         ("{90160000-008C-0000-1000-0000000FF1CE}", "Office Click-to-Run", "16.0.17328", None, "Microsoft Corporation", None)}
apps = {"win7.raw": vista, "win11.raw": vista, "server2022.raw": vista,
        "xp.raw": {("KB898461", "Update for Windows XP (KB898461)", "", None, None, None)}}
more = {
    "win7.raw": {"version": "6.1.7601", "service_pack": "Service Pack 1", "firmware": "bios", "boot_loader": "bootmgr",
                 "boot_default": "Windows 7", "timezone": "Europe/Berlin", "workgroup": "WORKGROUP"},
    "win11.raw": {"product_name": "Windows 11 Pro", "osinfo": "win11", "version": "10.0.22631.3447", "build": "22631",
                  "revision": "3447", "display_version": "23H2", "edition": "Professional", "firmware": "uefi",
                  "build_id": "22621.1.amd64fre.ni_release.220506-1250", "install_date": "2023-11-14T22:13:20.000000000Z",
                  "timezone": "Europe/Berlin", "timezone_name": "W. Europe Standard Time", "boot_default": "Windows 11",
                  "machine_id": "01234567-89ab-cdef-0123-456789abcdef", "machine_sid": "S-1-5-21-1001-2002-3003",
                  "last_shutdown": "2024-05-06T07:08:09.000000000Z", "fast_startup": "enabled", "hibernation": "hibernated",
                  "pending_reboot": "servicing, update", "pending_renames": "2", "locale": "it-IT", "language": "en-US",
                  "keymap": "Italian", "boot_storage_drivers": "storvsc viostor", "system_root": "C:\\Windows",
                  "registered_owner": "Alice", "product_id": "00330-80000-00000-AA123", "workgroup": "WORKGROUP"},
    "xp.raw": {"version": "5.1.2600", "service_pack": "Service Pack 3", "boot_loader": "ntldr", "firmware": "bios",
               "boot_default": "Microsoft Windows XP Professional", "timezone": "America/New_York", "variant": "Client",
               "build_id": "2600.xpsp.080413-2111"},
    "server2022.raw": {"domain": "corp.example", "domain_netbios": "CORP", "group_policy": "Default Domain Policy",
                       "edition": "ServerStandard", "firmware": "uefi"},
    "nt4.raw": {"root": "/dev/sda", "product_name": "Windows NT Server 4.0", "version": "4.0.1381", "arch": "i386",
                "hostname": "NTSERVER", "variant": "Server", "osinfo": "winnt4.0", "timezone": "Europe/London",
                "service_pack": "Service Pack 6", "system_root": "C:\\WINNT"},
    "pe.raw": {"product_name": "Windows 10 Enterprise", "edition": "WindowsPE", "variant": "WindowsPE", "medium": "recovery"},
}
name = sys.argv[1]
d, = json.load(sys.stdin)["operating_systems"]
for table in (virt, more):
    for k, v in table.get(name, {}).items():
        assert d.get(k) == v, (name, k, d.get(k), v)
if name in drives:
    got = {m["path"]: m["device"] for m in d["mounts"] if len(m["path"]) == 2 and m["mounted"]}
    assert got == drives[name], got
    got = {(p["id"], p["name"], p["version"], p.get("location"), p.get("vendor"), p.get("summary")) for p in d["packages"]
           if "user" not in p}
    assert got == apps[name], got
    own = [(p["name"], p["user"], p["version"]) for p in d["packages"] if "user" in p]
    assert own == [("Editor (User)", "alice", "1.89.0")], own
# Each fact says where it is from: the hive and the key, or a file.
for k, s in d["sources"].items():
    assert s["device"].startswith("/dev/sda") and s["path"].startswith("/"), (k, s)
    assert ("key" in s) == ("/config/" in s["path"] or s["path"].endswith("BCD")), (k, s)
if name == "win11.raw":
    assert d["sources"]["hostname"] == {"device": "/dev/sda2", "path": "/Windows/System32/config/SYSTEM",
                                        "key": "HKLM\\SYSTEM\\ControlSet001\\Services\\Tcpip\\Parameters", "value": "Hostname"}
    assert d["sources"]["firmware"]["device"] == "/dev/sda1" and d["sources"]["firmware"]["path"] == "/EFI/Microsoft/Boot/BCD"
    users = {u["name"]: u for u in d["users"]}
    assert list(users) == ["Administrator", "Guest", "alice", "bob", "carol"], list(users)
    alice = users["alice"]
    assert (alice["sid"], alice["rid"], alice["administrator"], alice["groups"]) == (
        "S-1-5-21-1001-2002-3003-1001", 1001, True, ["Administrators"]), alice
    assert alice["last_login"] == alice["profile_loaded"] == "2024-05-06T07:08:09.000000000Z"
    assert alice["home"] == "C:\\Users\\alice" and alice["gecos"] == "Alice Liddell" and alice["logins"] == 42
    assert users["bob"]["locked"] and users["bob"]["expires"] == "2027-01-15T08:00:00.000000000Z"
    assert users["Guest"]["disabled"] and not users["Guest"]["password_required"] and not users["Guest"]["has_password"]
    assert users["carol"]["sid"] == "S-1-5-21-7-8-9-1105" and "rid" not in users["carol"]
    assert [(g["name"], g["members"]) for g in d["groups"]] == [
        ("Administrators", ["Administrator", "alice", "S-1-5-21-7-8-9-512"]), ("Users", ["S-1-5-4", "bob"]),
        ("Remote Desktop Users", []), ("Testers", ["bob"])]
    assert [(s["name"], s["state"], s["start"]) for s in d["services"]] == [
        ("Backup Agent", "enabled", "auto"), ("Dnscache", "enabled", "auto"), ("Fax", "manual", "manual"),
        ("RemoteRegistry", "disabled", "disabled")]
    assert d["services"][1]["dll"] == "%SystemRoot%\\System32\\dnsrslvr.dll" and d["services"][1]["after"] == ["Tdx", "nsi"]
    assert [(x["name"], x["start"], x.get("platform"), x.get("present")) for x in d["drivers"]] == [
        ("Ntfs", "boot", None, None), ("pvscsi", "manual", "vmware", False), ("storvsc", "boot", "hyper-v", True),
        ("vioscsi", "boot", "virtio", False), ("viostor", "boot", "virtio", True)]
    assert d["drivers"][4]["description"] == "Red Hat VirtIO SCSI controller"
    assert [(i["name"], i["method"], i["addresses"], i["gateways"], i["dns"], i.get("mac")) for i in d["interfaces"]] == [
        ("Ethernet", "dhcp", ["192.0.2.7/24"], ["192.0.2.1"], ["192.0.2.53", "192.0.2.54"], None),
        ("Ethernet 2", "static", ["198.51.100.7/25", "198.51.100.8/25"], ["198.51.100.1"],
         ["198.51.100.53", "198.51.100.54"], "525400123456")]
    assert [(h["id"], h["state"], h.get("installed")) for h in d["hotfixes"]] == [
        ("KB5012170", "superseded", None), ("KB5033372", "installed", "2024-04-24T23:06:40.000000000Z")], d["hotfixes"]
    assert [(a["name"], a["scope"], a["arch"]) for a in d["app_packages"]] == [
        ("Microsoft.WindowsCalculator", "provisioned", "neutral"), ("Microsoft.WindowsCalculator", "user", "x64")]
    assert [(a["name"], a["command"], a.get("user")) for a in d["autoruns"]] == [
        ("SecurityHealth", "%windir%\\system32\\SecurityHealthSystray.exe", None),
        ("Updater", '"C:\\Program Files (x86)\\Up\\up.exe" /q', None),
        ("OneDrive", '"C:\\Users\\alice\\AppData\\Local\\OneDrive.exe" /background', "alice")]
    task, = d["tasks"]
    assert (task["name"], task["command"], task["last_run"]) == (
        "\\Backup", "C:\\Program Files\\Backup\\agent.exe --now", "2024-05-06T07:08:09.000000000Z"), task
    p, = [p for p in d["packages"] if p["id"] == "7-Zip"]
    assert p["installed_size"] == 5556 * 1024 and p["install_time"] == "2024-02-29T00:00:00.000000000Z", p
    # Nothing of a hash is told.
    assert "00000000000000000000000000000000" not in json.dumps(d)
if name == "xp.raw":
    assert [(h["id"], h["state"], h["description"]) for h in d["hotfixes"]] == [
        ("KB898461", "installed", "Update for Windows XP (KB898461)"),
        ("KB915800", "installed", "Windows XP Hotfix - KB915800")], d["hotfixes"]
if name == "nt4.raw":
    assert [(i["name"], i["addresses"]) for i in d["interfaces"]] == [("AMDPCN1", ["10.0.0.4/8"])]
X

check() # IMAGE
{
	"$V" inspect --json "$1" >json 2>err || die "$1: $(cat err)"
	# What NTFS says of a system that sleeps is right.
	! grep -v 'hiberfil.sys holds a session' err || die "$1"
	python3 check.py "$1" <json || die "$1"
	"$V" inspect "$1" >text
	"$V" inspect --brief "$1" >brief
	for form in cyclonedx spdx; do
		"$V" inspect --sbom $form "$1" | python3 -m json.tool >/dev/null || die "$1: $form"
	done
}

for kind in win11 server2022 win7 xp; do
	windows_disk $kind $kind.raw
	check $kind.raw
done
for kind in nt4 pe; do
	windows_fs $kind $kind.raw 16M
	check $kind.raw
done
grep -q '^/dev/sda: Windows 10 Enterprise$' brief || die "brief: $(cat brief)"

# What each version is called, and its short id, which is that of libosinfo: guestfs_inspect_get_osinfo(3).
n=0
while IFS='|' read -r name version build variant osinfo shown; do
	rm -rf product
	mkdir product
	python3 "$make" product product "$name" "$version" "$build" "$variant"
	windows_fs_of product product.raw 4M
	"$V" inspect --brief --json product.raw | python3 -c '
import json, sys
d, = json.load(sys.stdin)["operating_systems"]
assert (d["osinfo"], d["product_name"], d["version"]) == tuple(sys.argv[1:]), (d["osinfo"], d["product_name"], d["version"])' \
		"$osinfo" "${shown:-$name}" "$version.$build" || die "$name"
	n=$((n + 1))
done <<'X'
Microsoft Windows 2000|5.0|2195|(WinNT)|win2k
Microsoft Windows XP|5.1|2600|(WinNT)|winxp
Microsoft Windows XP Professional x64 Edition|5.2|3790|(WinNT)|winxp
Microsoft Windows Server 2003|5.2|3790|(ServerNT)|win2k3
Microsoft Windows Server 2003 R2|5.2|3790|(LanmanNT)|win2k3r2
Windows Vista (TM) Business|6.0|6002|(WinNT)|winvista
Windows Server (R) 2008 Standard|6.0|6002|(ServerNT)|win2k8
Windows 7 Ultimate|6.1|7601|Client|win7
Windows Server 2008 R2 Enterprise|6.1|7601|Server|win2k8r2
Windows 8 Pro|6.2|9200|Client|win8
Windows Server 2012 Datacenter|6.2|9200|Server Core|win2k12
Windows 8.1|6.3|9600|Client|win8.1
Windows Server 2012 R2 Standard|6.3|9600|Server|win2k12r2
Windows 10 Home|10.0|19045|Client|win10
Windows 10 Enterprise LTSC 2021|10.0|19044|Client|win10
Windows 10 Home|10.0|22000|Client|win11|Windows 11 Home
Windows 10 IoT Enterprise|10.0|26100|Client|win11|Windows 11 IoT Enterprise
Windows Server 2016 Standard|10.0|14393|Server|win2k16
Windows Server 2019 Datacenter|10.0|17763|Server Core|win2k19
Windows Server 2022 Standard|10.0|20348|Server|win2k22
Windows Server 2025 Standard|10.0|26100|Server|win2k25
X
[ "$n" = 21 ]

# df names the drives.
for image in win7.raw xp.raw; do
	"$V" df $image | awk 'NR > 1 { print $1, $NF }' >drives
	[ "$(cat drives)" = "$(printf '/dev/sda1 C:\n/dev/sda2 D:')" ] || die "df of $image: $(cat drives)"
done

# Paths, by every verb that takes them: C: is "/", and case does not matter.
I=win11.raw
hosts='127.0.0.1 localhost'
for path in 'C:\Windows\System32\drivers\etc\hosts' 'c:/windows/system32/DRIVERS/ETC/HOSTS' '/Windows/System32/drivers/etc/hosts' \
	'\Windows\System32\drivers\etc\hosts' 'Windows\System32\drivers\etc\hosts' '\\?\C:\Windows\System32\drivers\etc\hosts' \
	'\\.\c:\Windows\System32\drivers\etc\hosts' '\??\C:\Windows\System32\drivers\etc\hosts' \
	'\DosDevices\C:\Windows\System32\drivers\etc\hosts' '\GLOBAL??\C:\Windows\System32\drivers\etc\hosts' \
	'%SystemRoot%\System32\drivers\etc\hosts' '%windir%/system32/drivers/etc/hosts' '\SystemRoot\System32\drivers\etc\hosts' \
	'%systemdrive%\Windows\System32\drivers\etc\hosts' 'C:\Windows\..\..\Windows\.\System32\drivers\etc\hosts' \
	'c:\USERS\..\windows\\System32//drivers\etc\hosts'; do
	[ "$("$V" cat $I "$path" | tr -d '\r')" = "$hosts" ] || die "cat $path"
done
for path in 'D:\Stuff\Data.txt' 'd:/stuff/data.TXT' '\\?\D:\Stuff\Data.txt' 'D:\..\Stuff\Data.txt' \
	'\\?\Volume{656b1715-ecf6-11df-92e6-806e6f6e6963}\Stuff\Data.txt' \
	'\??\VOLUME{656B1715-ECF6-11DF-92E6-806E6F6E6963}\Stuff\Data.txt'; do
	[ "$("$V" cat $I "$path")" = data ] || die "cat $path"
done
[ "$("$V" ls $I 'C:\Users\Alice')" = $'Documents\nNTUSER.DAT' ] || die "ls"
"$V" ls $I 'D:' | grep -qx Stuff || die "ls D:"
"$V" stat $I 'D:\stuff' | grep -q 'D:/stuff' || die "stat"
[ "$("$V" find $I 'C:\Users' -name '*.txt')" = /Users/alice/Documents/Notes.txt ] || die "find: $("$V" find $I 'C:\Users' -name '*.txt')"
[ "$("$V" hash $I 'D:\Stuff\Data.txt')" = "$(echo data | sha256sum | cut -d' ' -f1)  D:/Stuff/Data.txt" ] || die "hash"
[ "$("$V" grep -r Curiouser $I 'C:\Users' | tr -d '\r')" = '/Users/alice/Documents/Notes.txt:Curiouser and curiouser!' ] || die "grep"
"$V" tar $I 'D:\Stuff' 'C:\Users\alice\Documents' | tar tf - >list
printf 'D:/Stuff/\nD:/Stuff/Data.txt\nUsers/alice/Documents/\nUsers/alice/Documents/Notes.txt\n' | diff - list || die "tar"
mkdir out
for pattern in 'stuff\data.txt' 'd:\stuff\DATA.txt' 'D:/Stuff/*' '*.TXT' '\stuff\data.txt'; do
	"$V" tar --exclude="$pattern" $I 'D:\Stuff' | tar tf - >list
	case $pattern in
	\\*) [ "$(wc -l <list)" = 2 ] || die "tar --exclude=$pattern: a drive that it does not name" ;;
	*) [ "$(cat list)" = D:/Stuff/ ] || die "tar --exclude=$pattern: $(cat list)" ;;
	esac
done
for pattern in 'users\alice' 'c:\Users\Alice' '\users\alice' 'C:/USERS/*'; do
	[ -z "$("$V" find --exclude="$pattern" $I 'C:\Users\alice\Documents')" ] || die "find --exclude=$pattern"
done
"$V" get $I 'D:\Stuff' 'C:\Users\alice\Documents' out
[ "$(find out -type f | sort)" = $'out/Documents/Notes.txt\nout/Stuff/Data.txt' ] || die "get"
"$V" diff $I $I 'C:\Windows' 'D:\' || die "diff"

fails() # PATH WORDS
{
	! "$V" cat $I "$1" 2>err || die "$1: it is there"
	grep -qF "$2" err || die "$1: $(cat err)"
}
fails 'Q:\x' 'no drive Q: among the guest'"'"'s disks: there is C: D:'
fails 'Z:\x' 'no drive Z:'
fails '\\server\share\x' 'a share of the network'
fails '\\?\UNC\server\share' 'a share of the network'
fails '\\?\Volume{00000000-0000-0000-0000-000000000000}\x' 'no volume {00000000'
fails '\??\PhysicalDrive0' 'no drive, and no volume'
fails 'C:\None\x' '"None"'
# A device that is a system's root means that system, and its paths.
[ "$("$V" cat -d sda2 $I '\Windows\System32\drivers\etc\hosts' | tr -d '\r')" = "127.0.0.1 localhost" ] || die "--device"

# Links: as the NTFS driver tells of junctions, and as texts of Windows.
mkdir links
python3 "$make" win7 links
mkdir links/Data
ln -s /Users 'links/Documents and Settings'
ln -s '/D:/Stuff' links/Data/there
ln -s 'D:\Stuff\Data.txt' links/Data/file
ln -s '..\Users\ALICE' links/Data/relative
ln -s '/Volume{656b1715-ecf6-11df-92e6-806e6f6e6963}/' links/Data/mounted
ln -s '/Q:/nowhere' links/Data/nowhere
windows_fs_of links win7.c 30M
dd if=win7.c of=win7.raw bs=1M seek=1 conv=notrunc status=none
I=win7.raw
for path in '\Data\there\data.txt' 'C:\Data\FILE' 'C:\data\mounted\stuff\data.txt'; do
	[ "$("$V" cat $I "$path")" = data ] || die "link $path"
done
[ "$("$V" ls $I 'C:\Documents and Settings\alice')" = $'Documents\nNTUSER.DAT' ] || die "junction"
[ "$("$V" ls $I 'C:\Data\relative')" = $'Documents\nNTUSER.DAT' ] || die "relative link"
fails 'C:\Data\nowhere\x' 'no drive Q:'

# The registry is found where the system is, whatever its folder is called.
cp -r links named
mv named/Windows named/WIN
windows_fs_of named win.c 30M
[ "$("$V" reg get win.c 'HKLM\SYSTEM\Select' Current)" = 1 ] || die "a folder of another name"

# A copy of the disk with another signature: the letter of the system's volume stays, the other's is gone.
cp win7.raw copy.raw
printf '\x01\x02\x03\x04' | dd of=copy.raw bs=1 seek=440 conv=notrunc status=none
"$V" inspect --json copy.raw | python3 -c '
import json, sys
d, = json.load(sys.stdin)["operating_systems"]
assert [(m["path"], m.get("device"), m["mounted"]) for m in d["mounts"]] == [("/", "/dev/sda1", True), ("C:", "/dev/sda1", True),
    ("D:", None, False), ("E:", None, False), ("Z:", None, False)], d["mounts"]' || die "copy"
[ "$("$V" cat copy.raw 'C:\Windows\System32\drivers\etc\hosts' | tr -d '\r')" = "$hosts" ] || die "copy: path"

# Damage: what can be told is told, and each loss is said. HIVE|WHAT|STATUS|WORDS|FACT|VALUE
n=0
while IFS='|' read -r hive what wanted words fact value; do
	rm -rf t
	cp -r links t
	file=t/Windows/System32/config/$hive
	case $what in
	missing) rm "$file" ;;
	empty) : >"$file" ;;
	cut) truncate -s 5000 "$file" ;;
	magic) printf X | dd of="$file" bs=1 conv=notrunc status=none ;;
	zeros) dd if=/dev/zero of="$file" bs=4096 seek=1 count=1 conv=notrunc status=none ;;
	folder) rm "$file" && mkdir "$file" ;;
	esac
	windows_fs_of t damaged.raw 30M
	status=0
	"$V" inspect --json damaged.raw >json 2>err || status=$?
	[ "$status" = "$wanted" ] || die "$hive $what: status $status: $(cat err)"
	grep -qF "$words" err || die "$hive $what: $(cat err)"
	python3 -c '
import json, sys
d, = json.load(open("json"))["operating_systems"]
got = d.get(sys.argv[1])
assert str(len(got) if isinstance(got, list) else got) == sys.argv[2], got' "$fact" "$value" || die "$hive $what: $fact"
	n=$((n + 1))
done <<'X'
SOFTWARE|missing|3|/Windows/System32/config/SOFTWARE: no such file|hostname|seven
SOFTWARE|missing|3|SOFTWARE: not there, or of no use|version|6.1.7601.17514
SOFTWARE|empty|3|config/SOFTWARE|arch|x86_64
SOFTWARE|cut|3|config/SOFTWARE|hostname|seven
SOFTWARE|magic|3|config/SOFTWARE|build|7601
SOFTWARE|zeros|3|config/SOFTWARE|hostname|seven
SOFTWARE|folder|3|config/SOFTWARE|version|6.1.7601.17514
SYSTEM|missing|0|config/SYSTEM: no such file|product_name|Windows 7 Professional
SYSTEM|cut|3|config/SYSTEM|product_name|Windows 7 Professional
SYSTEM|magic|3|config/SYSTEM|product_name|Windows 7 Professional
SYSTEM|zeros|3|config/SYSTEM|osinfo|win7
SAM|magic|3|config/SAM|users|2
SAM|zeros|3|config/SAM|users|2
SECURITY|empty|3|config/SECURITY|users|5
DEFAULT|cut|3|config/DEFAULT|language|en-US
X
[ "$n" = 15 ]

# Two systems on one volume, and one whose folder has a name of its own.
mkdir two
python3 "$make" nt4 two
mv two/WINNT two/NTSRV
python3 "$make" pe two
windows_fs_of two two.raw 16M
[ "$("$V" inspect --brief two.raw 2>/dev/null | grep -c '^/dev/sda:/[A-Za-z]*: Windows')" = 2 ] || die "two: $("$V" inspect --brief two.raw)"
rm -rf two/Windows
windows_fs_of two two.raw 16M
"$V" inspect --brief two.raw | grep -q '^/dev/sda: Windows NT Server 4.0$' || die "a name of its own"
# A folder with hives alone is a copy.
rm two/NTSRV/System32/*.exe
windows_fs_of two two.raw 16M
! "$V" inspect two.raw 2>/dev/null || die "a copy of hives"

# The same on NTFS.
if command -v mkntfs >/dev/null && command -v wimlib-imagex >/dev/null; then
	# shellcheck disable=SC2034 # of windows-guest.sh
	windows_ntfs=yes
	for kind in win11 ${VTR_SLOW:+xp}; do
		windows_disk $kind $kind.raw
		check $kind.raw
	done
	I=win11.raw
	[ "$("$V" cat $I 'd:\STUFF\data.TXT')" = data ] || die "NTFS"
	[ "$("$V" ls $I 'C:\USERS\alice\')" = $'Documents\nNTUSER.DAT' ] || die "NTFS: ls"
else
	echo "mkntfs or wimlib-imagex is not installed: nothing is tried on NTFS"
fi
echo "4 disks, 2 volumes, $n kinds of damage"
