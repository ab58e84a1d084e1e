#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files of a Windows system that inspection looks at, and no more: mk-windows.py KIND FOLDER

KIND: win11, server2022, win7, xp, nt4, pe; product takes what it is called: NAME VERSION BUILD VARIANT; esp is the
partition that starts the first two, seeds are for fuzzing. mk-hive.py writes the hives; the disk that they are said to lie on has the
signature 1234abcd and the system from 1 MiB on (win7, xp), or a GPT with the partition
5a170000-0000-4000-8000-0000000000d2 (win11, server2022); D: is the partition 5a170000-0000-4000-8000-0000000000d3.

Hives are written here as text:
    [Key\\Below]                a key, and those above it
    name="text"                REG_SZ; "" around name may be left out, @ is the default value
    name=expand:"%x%"          REG_EXPAND_SZ
    name=multi:"a","b"         REG_MULTI_SZ
    name=1f                    REG_DWORD, hexadecimal
    name=hex:01,02             REG_BINARY
"""
import importlib.machinery
import importlib.util
import os
import re
import struct
import sys

here = os.path.dirname(os.path.abspath(__file__))


def load(name, path):
    loader = importlib.machinery.SourceFileLoader(name, path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


sys.dont_write_bytecode = True
mk_hive = load("mk_hive", os.path.join(here, "mk-hive.py"))
mk_pe = load("mk_pe", os.path.join(here, "..", "fuzz", "seeds", "mk-pe.py"))

MACHINE = (21, 1001, 2002, 3003)
GPT = {"C": "5a170000-0000-4000-8000-0000000000d2", "D": "5a170000-0000-4000-8000-0000000000d3",
       "ESP": "5a170000-0000-4000-8000-0000000000d1"}


def utf16(text):
    return text.encode("utf-16-le")


def value(text):
    m = re.match(r"(?:(expand|multi|hex):)?(.*)$", text, re.S)
    kind, rest = m.groups()
    if kind == "hex":
        return mk_hive.BINARY, bytes(int(b, 16) for b in rest.split(",") if b)
    if kind == "expand":
        return mk_hive.EXPAND, mk_hive.sz(rest.strip('"'))
    if kind == "multi":
        return mk_hive.MULTI, mk_hive.multi(*re.findall(r'"([^"]*)"', rest))
    if rest.startswith('"'):
        return mk_hive.SZ, mk_hive.sz(rest[1:rest.rindex('"')])
    return mk_hive.DWORD, mk_hive.dword(int(rest, 16))


def hive(text):
    """A hive out of a text."""
    root = key = mk_hive.Key("ROOT")
    known = {"": root}
    for line in text.split("\n"):
        if line.startswith("["):
            key, path = root, ""
            for part in line[1:line.rindex("]")].split("\\"):
                path += "\\" + part.upper()
                if path not in known:
                    known[path] = mk_hive.Key(part)
                    key.children.append(known[path])
                key = known[path]
        elif line:
            name, _, rest = line.partition("=")
            key.values.append(("" if name == "@" else name.strip('"'),) + value(rest))
    return mk_hive.Hive(root).bytes()


def hexes(data):
    return "hex:" + ",".join("%02x" % b for b in data)


def filetime(seconds):
    return (seconds + 11644473600) * 10000000


def sid(*parts, authority=5):
    return struct.pack("<BB6s", 1, len(parts), authority.to_bytes(6, "big")) + b"".join(struct.pack("<I", p) for p in parts)


def guid(text):
    a, b, c, d, e = text.split("-")
    return struct.pack("<IHH", int(a, 16), int(b, 16), int(c, 16)) + bytes.fromhex(d + e)


def lsa(text):
    data = text.encode("utf-16-le")
    return struct.pack("<HHI", len(data), len(data) + 2, 8) + data + b"\0\0"


def user_f(rid, flags, logon=0, changed=0, expires=None, logons=0):
    return struct.pack("<8xQ8xQQ8xIII6xH8x", filetime(logon) if logon else 0, filetime(changed) if changed else 0,
                       filetime(expires) if expires else 0x7fffffffffffffff, rid, 513, flags, logons)


def user_v(name, full, comment, password):
    texts = {0x0c: name, 0x18: full, 0x24: comment}
    head, tail = bytearray(0xcc), b""
    for at, text in texts.items():
        data = text.encode("utf-16-le")
        struct.pack_into("<II", head, at, len(tail), len(data))
        tail += data + bytes(-len(data) % 4)
    struct.pack_into("<II", head, 0xa8, len(tail), 56 if password else 24)
    return bytes(head) + tail + bytes(56 if password else 24)


def group_c(rid, name, comment, members):
    head, tail = bytearray(0x34), b""
    struct.pack_into("<I", head, 0, rid)
    for at, text in ((0x10, name), (0x1c, comment)):
        data = text.encode("utf-16-le")
        struct.pack_into("<II", head, at, len(tail), len(data))
        tail += data + bytes(-len(data) % 4)
    struct.pack_into("<III", head, 0x28, len(tail), sum(len(m) for m in members), len(members))
    return bytes(head) + tail + b"".join(members)


def sam():
    users = [
        (500, user_f(500, 0x211, 0, 0), user_v("Administrator", "", "Built-in account for administering the computer", False)),
        (501, user_f(501, 0x215), user_v("Guest", "", "Built-in account for guest access", False)),
        (1001, user_f(1001, 0x210, 1714979289, 1700000000, None, 42), user_v("alice", "Alice Liddell", "", True)),
        (1002, user_f(1002, 0x410, 1714000000, 1690000000, 1800000000, 3), user_v("bob", "", "Örtlich", True)),
    ]
    text = "[SAM\\Domains\\Account]\nV=%s\n" % hexes(struct.pack("<12xII28x", 0, 24) + sid(*MACHINE))
    for rid, f, v in users:
        text += "[SAM\\Domains\\Account\\Users\\%08X]\nF=%s\nV=%s\n" % (rid, hexes(f), hexes(v))
        text += "[SAM\\Domains\\Account\\Users\\Names\\%s]\n" % ("Administrator", "Guest", "alice", "bob")[
            [u[0] for u in users].index(rid)]
    groups = [(0x220, "Administrators", "They may do everything", [sid(*MACHINE, 500), sid(*MACHINE, 1001),
                                                                   sid(21, 7, 8, 9, 512)]),
              (0x221, "Users", "", [sid(4), sid(*MACHINE, 1002)]),
              (0x22b, "Remote Desktop Users", "", [])]
    for rid, name, comment, members in groups:
        text += "[SAM\\Domains\\Builtin\\Aliases\\%08X]\nC=%s\n" % (rid, hexes(group_c(rid, name, comment, members)))
    text += "[SAM\\Domains\\Builtin\\Aliases\\Members]\n"
    return text + "[SAM\\Domains\\Account\\Aliases\\000003E9]\nC=%s\n" % hexes(group_c(1001, "Testers", "", [sid(*MACHINE, 1002)]))


def actions(command, arguments):
    def text(t):
        data = t.encode("utf-16-le")
        return struct.pack("<I", len(data)) + data

    return struct.pack("<H", 3) + text("Author") + struct.pack("<H", 0x6666) + text("") + text(command) + text(arguments) + \
        text("") + struct.pack("<H", 0)


def mounted(kind):
    cdrom = hexes("\\??\\IDE#CdRomQEMU_QEMU_DVD-ROM#5&1#{53f5630d-b6bf-11d0-94f2-00a0c91efb8b}".encode("utf-16-le"))
    if kind in ("win11", "server2022"):
        c, d = (hexes(b"DMIO:ID:" + guid(GPT[x])) for x in "CD")
    else:
        c, d = (hexes(struct.pack("<IQ", 0x1234abcd, off)) for off in (1 << 20, 40 << 20))
    return """[MountedDevices]
\\DosDevices\\C:=%s
\\DosDevices\\D:=%s
\\DosDevices\\E:=%s
\\DosDevices\\Z:=%s
\\??\\Volume{656b1715-ecf6-11df-92e6-806e6f6e6963}=%s
""" % (c, d, cdrom, hexes(struct.pack("<IQ", 0xdeadbeef, 1 << 20)), d)


TCPIP = "[ControlSet001\\Services\\Tcpip\\Parameters"
CLASS = "{4D36E972-E325-11CE-BFC1-08002BE10318}"


def system_vista(kind, host, services):
    server = kind == "server2022"
    text = """[Select]
Current=1
Default=1
Failed=0
LastKnownGood=1
[ControlSet001\\Control]
PEFirmwareType=%d
[ControlSet001\\Control\\ComputerName\\ComputerName]
ComputerName="%s"
[ControlSet001\\Control\\ProductOptions]
ProductType="%s"
[ControlSet001\\Control\\TimeZoneInformation]
TimeZoneKeyName="W. Europe Standard Time"
StandardName="@tzres.dll,-322"
[ControlSet001\\Control\\Windows]
ShutdownTime=%s
[ControlSet001\\Control\\Session Manager]
PendingFileRenameOperations=multi:"\\??\\C:\\old.dll","","\\??\\C:\\new.dll","!\\??\\C:\\x.dll"
[ControlSet001\\Control\\Session Manager\\Environment]
PROCESSOR_ARCHITECTURE="AMD64"
[ControlSet001\\Control\\Session Manager\\Power]
HiberbootEnabled=1
[ControlSet001\\Control\\Nls\\Language]
Default="0410"
InstallLanguage="0409"
[ControlSet001\\Control\\Keyboard Layouts\\00000410]
"Layout Text"="Italian"
""" % (1 if kind == "win7" else 2, host[:15].upper(), "ServerNT" if server else "WinNT",
       hexes(struct.pack("<Q", filetime(1714979289))))
    text += TCPIP + """]
Hostname="%s"
"NV Hostname"="%s"
Domain="%s"
DhcpNameServer="192.0.2.53 192.0.2.54"
""" % (host, host, "corp.example" if server else "")
    text += TCPIP + """\\Interfaces\\{11111111-2222-3333-4444-555555555555}]
EnableDHCP=1
DhcpIPAddress="192.0.2.7"
DhcpSubnetMask="255.255.255.0"
DhcpDefaultGateway=multi:"192.0.2.1"
DhcpNameServer="192.0.2.53 192.0.2.54"
DhcpDomain="lan.example"
"""
    text += TCPIP + """\\Interfaces\\{22222222-2222-3333-4444-555555555555}]
EnableDHCP=0
IPAddress=multi:"198.51.100.7","198.51.100.8"
SubnetMask=multi:"255.255.255.128","255.255.255.128"
DefaultGateway=multi:"198.51.100.1"
NameServer="198.51.100.53,198.51.100.54"
"""
    text += TCPIP + "\\Interfaces\\{33333333-2222-3333-4444-555555555555}]\n"
    for n, name in ((1, "Ethernet"), (2, "Ethernet 2")):
        i = "{%s-2222-3333-4444-555555555555}" % (str(n) * 8)
        text += "[ControlSet001\\Control\\Network\\%s\\%s\\Connection]\nName=\"%s\"\n" % (CLASS, i, name)
        text += "[ControlSet001\\Control\\Class\\%s\\%04d]\nDriverDesc=\"Red Hat VirtIO Ethernet Adapter\"\n" \
                "NetCfgInstanceId=\"%s\"\n%s" % (CLASS, n, i, "NetworkAddress=\"525400123456\"\n" if n == 2 else "")
    return text + services + mounted(kind)


SERVICES = """[ControlSet001\\Services\\viostor]
Type=1
Start=0
ErrorControl=1
ImagePath=expand:"\\SystemRoot\\System32\\drivers\\viostor.sys"
DisplayName="@oem4.inf,%VirtioScsi.DeviceDesc%;Red Hat VirtIO SCSI controller"
Group="SCSI miniport"
[ControlSet001\\Services\\vioscsi]
Type=1
Start=0
ImagePath=expand:"System32\\drivers\\vioscsi.sys"
[ControlSet001\\Services\\storvsc]
Type=1
Start=0
[ControlSet001\\Services\\pvscsi]
Type=1
Start=3
[ControlSet001\\Services\\Ntfs]
Type=2
Start=0
Group="Boot File System"
[ControlSet001\\Services\\.NET CLR Data]
[ControlSet001\\Services\\Dnscache]
Type=20
Start=2
ImagePath=expand:"%SystemRoot%\\system32\\svchost.exe -k NetworkService -p"
DisplayName="@%SystemRoot%\\System32\\dnsapi.dll,-101"
ObjectName="NT AUTHORITY\\NetworkService"
Group="TDI"
DependOnService=multi:"Tdx","nsi"
[ControlSet001\\Services\\Dnscache\\Parameters]
ServiceDll=expand:"%SystemRoot%\\System32\\dnsrslvr.dll"
[ControlSet001\\Services\\Backup Agent]
Type=10
Start=2
DelayedAutostart=1
ImagePath=""C:\\Program Files\\Backup\\agent.exe" --service"
DisplayName="Backup Agent"
Description="Copies what matters"
ObjectName=".\\alice"
[ControlSet001\\Services\\RemoteRegistry]
Type=20
Start=4
[ControlSet001\\Services\\Fax]
Type=10
Start=3
ImagePath="C:\\Windows\\System32\\fxssvc.exe"
"""

NT = "[Microsoft\\Windows NT\\CurrentVersion"
CV = "Microsoft\\Windows\\CurrentVersion"
PROFILES = """]
[Microsoft\\Windows NT\\CurrentVersion\\ProfileList\\S-1-5-18]
ProfileImagePath=expand:"%%systemroot%%\\system32\\config\\systemprofile"
[Microsoft\\Windows NT\\CurrentVersion\\ProfileList\\S-1-5-21-1001-2002-3003-1001]
ProfileImagePath=expand:"%s\\alice"
LocalProfileLoadTimeHigh=%x
LocalProfileLoadTimeLow=%x
[Microsoft\\Windows NT\\CurrentVersion\\ProfileList\\S-1-5-21-7-8-9-1105]
ProfileImagePath=expand:"%s\\carol"
[Microsoft\\Windows NT\\CurrentVersion\\ProfileList\\S-1-5-21-7-8-9-1106.bak]
ProfileImagePath=expand:"%s\\dave"
"""


def profiles(folder):
    t = filetime(1714979289)
    return PROFILES[2:] % (folder, t >> 32, t & 0xffffffff, folder, folder)


def software_vista(product, edition, variant, build, ubr, display, lab):
    major, minor = (10, 0) if build >= 10240 else (6, 1)
    text = NT + """]
ProductName="%s"
EditionID="%s"
InstallationType="%s"
CurrentVersion="%s"
CurrentBuildNumber="%d"
CurrentBuild="%d"
BuildLabEx="%s"
InstallDate=%x
ProductId="00330-80000-00000-AA123"
RegisteredOwner="Alice"
RegisteredOrganization="Wonderland"
SystemRoot="C:\\Windows"
""" % (product, edition, variant, "6.3" if major == 10 else "6.1", build, build, lab, 1700000000)
    if major == 10:
        text += "CurrentMajorVersionNumber=a\nCurrentMinorVersionNumber=0\nUBR=%x\nDisplayVersion=\"%s\"\nReleaseId=\"2009\"\n" \
                % (ubr, display)
    else:
        text += "CSDVersion=\"Service Pack 1\"\n"
    text += "[Microsoft\\Cryptography]\nMachineGuid=\"01234567-89ab-cdef-0123-456789abcdef\"\n"
    text += profiles("C:\\Users")
    text += """[%(cv)s\\Uninstall\\7-Zip]
DisplayName="7-Zip 23.01 (x64)"
DisplayVersion="23.01"
Publisher="Igor Pavlov"
InstallLocation="C:\\Program Files\\7-Zip\\"
EstimatedSize=15b4
InstallDate="20240229"
[%(cv)s\\Uninstall\\{90160000-008C-0000-1000-0000000FF1CE}]
DisplayName="Office Click-to-Run"
DisplayVersion="16.0.17328"
Publisher="Microsoft Corporation"
SystemComponent=1
[%(cv)s\\Uninstall\\Connection Manager]
SystemComponent=1
[Wow6432Node\\%(cv)s\\Uninstall\\Mozilla Firefox]
DisplayName="Mozilla Firefox (x86 it)"
DisplayVersion="115.0"
Comments="A browser"
[%(cv)s\\Run]
SecurityHealth=expand:"%%windir%%\\system32\\SecurityHealthSystray.exe"
[Wow6432Node\\%(cv)s\\Run]
Updater=""C:\\Program Files (x86)\\Up\\up.exe" /q"
[%(cv)s\\RunOnce]
""" % {"cv": CV}
    high, low = divmod(filetime(1714000000), 1 << 32)
    cbs = CV + "\\Component Based Servicing"
    text += """[%s\\Packages\\Package_for_RollupFix~31bf3856ad364e35~amd64~~19041.3803.1.6]
CurrentState=70
InstallTimeHigh=%x
InstallTimeLow=%x
InstallLocation="\\\\?\\C:\\Windows\\SoftwareDistribution\\Download\\x\\Windows10.0-KB5033372-x64.cab\\"
InstallClient="WindowsUpdateAgent"
[%s\\Packages\\Package_for_KB5012170~31bf3856ad364e35~amd64~~10.0.1.1]
CurrentState=50
[%s\\Packages\\Package_1_for_KB5012170~31bf3856ad364e35~amd64~~10.0.1.1]
CurrentState=70
[%s\\RebootPending]
[%s\\WindowsUpdate\\Auto Update\\RebootRequired]
""" % (cbs, high, low, cbs, cbs, cbs, CV)
    if major == 10:
        text += """[%(s)s\\Applications\\Microsoft.WindowsCalculator_10.2103.8.0_neutral_~_8wekyb3d8bbwe]
Path="C:\\Program Files\\WindowsApps\\x\\AppxBundleManifest.xml"
[%(s)s\\S-1-5-21-1001-2002-3003-1001\\Microsoft.WindowsCalculator_10.2103.8.0_x64_split.scale-100_8wekyb3d8bbwe]
[%(s)s\\Config]
""" % {"s": CV + "\\Appx\\AppxAllUserStore"}
    text += "[Microsoft\\Windows NT\\CurrentVersion\\Schedule\\TaskCache\\Tasks\\{A0000000-0000-0000-0000-000000000001}]\n" \
            "Path=\"\\Backup\"\nAuthor=\"WONDERLAND\\alice\"\nActions=%s\nDynamicInfo=%s\n" % (
                hexes(actions("C:\\Program Files\\Backup\\agent.exe", "--now")),
                hexes(struct.pack("<IQQII", 3, filetime(1700000000), filetime(1714979289), 0, 0)))
    if variant != "Client":
        text += "[%s\\Group Policy\\History\\{35378EAC-683F-11D2-A89A-00C04FBBCFA2}\\0]\nDisplayName=\"Default Domain Policy\"\n" % CV
    return text


DEFAULT = """[Control Panel\\International]
LocaleName="it-IT"
[Keyboard Layout\\Preload]
1="00000410"
"""

NTUSER = """[Software\\%s\\Uninstall\\Code]
DisplayName="Editor (User)"
DisplayVersion="1.89.0"
InstallLocation="C:\\Users\\alice\\AppData\\Local\\Programs\\Editor\\"
[Software\\%s\\Run]
OneDrive=""C:\\Users\\alice\\AppData\\Local\\OneDrive.exe" /background"
""" % (CV, CV)


def bcd(efi, on):
    loader = "{11111111-1111-1111-1111-111111111111}"
    other = "{22222222-2222-2222-2222-222222222222}"
    o = "[Objects\\"
    text = o + "{9dea862c-5cdd-4e70-acc1-01b344d44795}\\Description]\nType=10100002\n"
    text += o + "{9dea862c-5cdd-4e70-acc1-01b344d44795}\\Elements\\23000003]\nElement=\"%s\"\n" % loader
    for i, title, folder in ((loader, "Windows 11" if efi else "Windows 7", "\\Windows"), (other, "Windows Recovery", "\\Rec")):
        text += o + i + "\\Description]\nType=10200003\n"
        text += o + i + "\\Elements\\12000002]\nElement=\"%s\\system32\\winload.%s\"\n" % (folder, "efi" if efi else "exe")
        text += o + i + "\\Elements\\12000004]\nElement=\"%s\"\n" % title
        text += o + i + "\\Elements\\22000002]\nElement=\"%s\"\n" % folder
        text += o + i + "\\Elements\\21000001]\nElement=%s\n" % hexes(on)
    return text


def bcd_gpt(partition):
    return struct.pack("<16xIIII16sII16s8x", 6, 0, 0x48, 0, guid(partition), 0, 0, guid("5a170000-0000-4000-8000-0000000000d0"))


def bcd_mbr(signature, off):
    return struct.pack("<16xIIIIQ8xIII20x", 6, 0, 0x48, 0, off, 0, 1, signature)


def put(folder, path, data):
    path = os.path.join(folder, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data.encode() if isinstance(data, str) else data)


def put_hive(folder, path, text):
    put(folder, path, hive(text))


def common(folder, root, machine, numbers):
    put(folder, root + "/System32/ntoskrnl.exe", mk_pe.program(machine, numbers, [("ProductName", "Windows")]))
    put(folder, root + "/System32/cmd.exe", mk_pe.program(machine))
    put(folder, root + "/System32/drivers/etc/hosts", "127.0.0.1 localhost\r\n")


def vista(kind, folder):
    names = {
        "win11": ("Windows 10 Pro", "Professional", "Client", 22631, 3447, "23H2", "22621.1.amd64fre.ni_release.220506-1250"),
        "server2022": ("Windows Server 2022 Standard", "ServerStandard", "Server Core", 20348, 2402, "21H2",
                       "20348.1.amd64fre.fe_release.210507-1500"),
        "win7": ("Windows 7 Professional", "Professional", "Client", 7601, 0, "", "7601.17514.amd64fre.win7sp1_rtm.101119-1850"),
    }[kind]
    common(folder, "Windows", 0x8664, (6, 1, 7601, 17514) if kind == "win7" else (10, 0, names[3], names[4]))
    os.makedirs(os.path.join(folder, "Windows/SysWOW64"))
    put(folder, "Windows/System32/drivers/viostor.sys", mk_pe.program(0x8664))
    put(folder, "Windows/System32/drivers/storvsc.sys", mk_pe.program(0x8664))
    config = "Windows/System32/config/"
    put_hive(folder, config + "SYSTEM", system_vista(kind, {"win11": "wonderland-pc", "server2022": "dc1", "win7": "seven"}[kind],
                                                     SERVICES))
    put_hive(folder, config + "SOFTWARE", software_vista(*names))
    put_hive(folder, config + "SAM", sam())
    joined = kind == "server2022"
    put_hive(folder, config + "SECURITY", "[Policy\\PolPrDmN]\n@=%s\n[Policy\\PolPrDmS]\n%s" % (
        hexes(lsa("CORP" if joined else "WORKGROUP")), "@=%s\n" % hexes(sid(21, 7, 8, 9)) if joined else ""))
    put_hive(folder, config + "DEFAULT", DEFAULT)
    put_hive(folder, "Users/alice/NTUSER.DAT", NTUSER)
    put(folder, "Users/alice/Documents/Notes.txt", "Curiouser and curiouser!\r\n")
    put(folder, "hiberfil.sys", b"HIBR" + bytes(4092))
    if kind == "win7":
        put_hive(folder, "Boot/BCD", bcd(False, bcd_mbr(0x1234abcd, 1 << 20)))


def xp(folder):
    common(folder, "WINDOWS", 0x14c, (5, 1, 2600, 5512))
    config = "WINDOWS/system32/config/"
    os.rename(os.path.join(folder, "WINDOWS/System32"), os.path.join(folder, "WINDOWS/system32"))
    put_hive(folder, config + "system", """[Select]
Current=2
[ControlSet002\\Control\\ComputerName\\ComputerName]
ComputerName="OLDBOX"
[ControlSet002\\Control\\ProductOptions]
ProductType="WinNT"
[ControlSet002\\Control\\TimeZoneInformation]
StandardName="Eastern Standard Time"
[ControlSet002\\Control\\Session Manager\\Environment]
PROCESSOR_ARCHITECTURE="x86"
[ControlSet002\\Services\\Tcpip\\Parameters]
Hostname="oldbox"
""" + mounted("xp"))
    put_hive(folder, config + "software", NT + """]
ProductName="Microsoft Windows XP"
CurrentVersion="5.1"
CurrentBuildNumber="2600"
CurrentBuild="1.511.1 () (Obsolete data - do not use)"
CSDVersion="Service Pack 3"
BuildLab="2600.xpsp.080413-2111"
SystemRoot="C:\\WINDOWS"
[%s\\Uninstall\\KB898461]
DisplayName="Update for Windows XP (KB898461)"
ParentKeyName="OperatingSystem"
[Microsoft\\Windows NT\\CurrentVersion\\HotFix\\KB898461]
Installed=1
"Fix Description"="Update for Windows XP (KB898461)"
[Microsoft\\Updates\\Windows XP\\SP4\\KB915800]
Description="Windows XP Hotfix - KB915800"
InstalledDate="4/14/2008"
""" % CV + profiles("%SystemDrive%\\Documents and Settings"))
    put_hive(folder, "Documents and Settings/alice/NTUSER.DAT", NTUSER)
    put(folder, "boot.ini", "[boot loader]\r\ntimeout=30\r\ndefault=multi(0)disk(0)rdisk(0)partition(1)\\WINDOWS\r\n"
        "[operating systems]\r\nmulti(0)disk(0)rdisk(0)partition(1)\\WINDOWS=\"Microsoft Windows XP Professional\" "
        "/noexecute=optin /fastdetect\r\n")


def nt4(folder):
    common(folder, "WINNT", 0x14c, (4, 0, 1381, 4))
    put_hive(folder, "WINNT/System32/config/SYSTEM", """[Select]
Current=1
[ControlSet001\\Control\\ComputerName\\ComputerName]
ComputerName="NTSERVER"
[ControlSet001\\Control\\ProductOptions]
ProductType="ServerNT"
[ControlSet001\\Control\\TimeZoneInformation]
StandardName="GMT Standard Time"
[ControlSet001\\Services\\Tcpip\\Linkage]
Bind=multi:"\\Device\\AMDPCN1"
[ControlSet001\\Services\\AMDPCN1\\Parameters\\Tcpip]
EnableDHCP=0
IPAddress=multi:"10.0.0.4"
SubnetMask=multi:"255.0.0.0"
[DISK]
""")
    put_hive(folder, "WINNT/System32/config/SOFTWARE", NT + """]
CurrentVersion="4.0"
CurrentBuildNumber="1381"
CSDVersion="Service Pack 6"
SystemRoot="C:\\WINNT"
""")


def product(folder, name, version, build, variant):
    """What a system calls itself, and no more. A variant in brackets is that of ProductOptions: none was written yet."""
    common(folder, "Windows", 0x8664, (1, 2, 3, 4))
    major, minor = version.split(".")
    text = NT + "]\nProductName=\"%s\"\nCurrentBuildNumber=\"%s\"\n" % (name, build)
    if int(major) >= 10:
        text += "CurrentVersion=\"6.3\"\nCurrentMajorVersionNumber=%x\nCurrentMinorVersionNumber=%x\n" % (int(major), int(minor))
    else:
        text += "CurrentVersion=\"%s\"\n" % version
    if variant[0] != "(":
        text += "InstallationType=\"%s\"\n" % variant
    put_hive(folder, "Windows/System32/config/SOFTWARE", text)
    put_hive(folder, "Windows/System32/config/SYSTEM", "[Select]\nCurrent=1\n[ControlSet001\\Control\\ProductOptions]\n"
             "ProductType=\"%s\"\n" % variant.strip("()"))


def pe(folder):
    common(folder, "Windows", 0x8664, (10, 0, 19041, 1))
    put(folder, "Windows/System32/RecEnv.exe", mk_pe.program(0x8664))
    put_hive(folder, "Windows/System32/config/SYSTEM", "[Select]\nCurrent=1\n[ControlSet001\\Control\\MiniNT]\n"
             "[ControlSet001\\Control\\ProductOptions]\nProductType=\"WinNT\"\n")
    put_hive(folder, "Windows/System32/config/SOFTWARE", NT + "]\nProductName=\"Windows 10 Enterprise\"\nEditionID=\"WindowsPE\"\n"
             "InstallationType=\"WindowsPE\"\nCurrentBuildNumber=\"19041\"\nCurrentMajorVersionNumber=a\n"
             "CurrentMinorVersionNumber=0\nSystemRoot=\"X:\\windows\"\n")


def seeds_systems():
    """Small systems: the files that are no hives, and one hive; 10: on a disk with an MBR, 11: with a GPT, 12: without a boot store, 13: nor boot.ini."""
    select = "[Select]\nCurrent=1\n[ControlSet001\\Control]\nPEFirmwareType=%d\n"
    service = "[ControlSet001\\Services\\%s]\nType=%x\nStart=%x\nImagePath=expand:\"system32\\x.sys\"\n"
    program = mk_pe.program(0x14c, (4, 0, 1381, 4))
    bind = ("[ControlSet001\\Services\\Tcpip\\Linkage]\nBind=multi:\"\\Device\\A1\",\"B2\"\n"
            "[ControlSet001\\Services\\A1\\Parameters\\Tcpip]\nEnableDHCP=0\nIPAddress=multi:\"10.0.0.4\",\"10.0.0.5\"\n"
            "SubnetMask=multi:\"255.0.0.0\"\nDefaultGateway=multi:\"10.0.0.1\"\n")
    yield "nt4", 10, program, [select % 1 + bind, NT + "]\nCurrentVersion=\"4.0\"\n"]
    yield "arch", 10, program, [select % 1 + "[ControlSet001\\Control\\Session Manager\\Environment]\n"
                                "PROCESSOR_ARCHITECTURE=\"AMD64\"\n"]
    yield "no-version", 10, program, [select % 2]
    yield "mbr", 10, b"x", \
        [mounted("xp"), bcd(False, bcd_mbr(0x1234abcd, 1 << 20))]
    yield "boot-ini", 12, b"[boot loader]\ndefault=multi(0)\\W\n[operating systems]\nmulti(0)\\W=\"XP\"\nC:\\=DOS\n", \
        [select % 2 + NT + "]\nCurrentVersion=\"5.1\"\n"]
    yield "never-started", 13, b"x", ["[ControlSet001\\Control]\nPEFirmwareType=1\n[Setup]\nCmdLine=\"x\"\n"]
    yield "gpt", 11, b"hibr", [mounted("win11"), bcd(True, bcd_gpt(GPT["C"]))]
    yield "gpt-other", 11, b"HIBR", [mounted("win11"), bcd(True, bcd_gpt(GPT["D"]))]
    yield "services", 10, b"MZ", [select % 1, "".join(service % x for x in (
        ("viostor", 1, 0), ("stornvme", 1, 0), ("a", 2, 1), ("b", 4, 2), ("c", 8, 3), ("d", 0x10, 4), ("e", 0x20, 2),
        ("f", 0x30, 3), ("g", 0x60, 3), ("h", 0x110, 2), ("i", 0xe0, 9), ("storvsc", 1, 0), ("pvscsi", 1, 0)))]
    yield "updates", 10, b"", [NT + """]
ProductName="Microsoft Windows XP"
CurrentVersion="5.1"
[Microsoft\\Windows NT\\CurrentVersion\\HotFix\\KB898461]
Installed=1
"Fix Description"="Update"
[Microsoft\\Windows NT\\CurrentVersion\\HotFix\\Q147222]
Installed=0
[Microsoft\\Updates\\Windows XP\\SP4\\KB915800]
Description="Hotfix"
InstalledDate="4/14/2008"
[%s\\Group Policy\\History\\{35378EAC-683F-11D2-A89A-00C04FBBCFA2}\\0]
DisplayName="Default"
[%s\\Group Policy\\History\\{35378EAC-683F-11D2-A89A-00C04FBBCFA2}\\1]
DisplayName="Second"
""" % (CV, CV)]
    for name, version, build, kind, variant in (
            ("Windows Server 2022 Datacenter", "6.3", "20348", "ServerNT", "Server"), ("Windows 7", "6.1", "7601", "WinNT", "Client"),
            ("Windows Server 2003 R2", "5.2", "3790", "ServerNT", ""), ("Windows PE", "10.0", "19041", "WinNT", "WindowsPE")):
        yield "is-" + name.split()[-1].lower(), 10, b"", [
            NT + "]\nProductName=\"%s\"\nCurrentBuildNumber=\"%s\"\nCurrentVersion=\"%s\"\nInstallationType=\"%s\"\n%s" %
            (name, build, version, variant, "CurrentMajorVersionNumber=a\nCurrentMinorVersionNumber=0\n" * (int(build) > 9600)), select % 1 +
            "[ControlSet001\\Control\\ProductOptions]\nProductType=\"%s\"\n[ControlSet001\\Control\\MiniNT]\n" % kind]


def seeds(folder):
    """What fuzz_windows.c starts from: a byte that names the parser, then values, or one hive that is all of them."""
    put(folder, "mount-gpt", b"\0DMIO:ID:" + guid(GPT["C"]))
    put(folder, "mount-name", b"\0" + "\\??\\IDE#CdRom".encode("utf-16-le"))
    put(folder, "bcd-gpt", b"\1" + bcd_gpt(GPT["C"]))
    put(folder, "bcd-mbr", b"\1" + bcd_mbr(0x1234abcd, 1 << 20))
    put(folder, "user-f", b"\2" + user_f(1001, 0x210, 1714979289, 1700000000, 1800000000, 42))
    put(folder, "user-v", b"\3" + user_v("alice", "Alice", "none", True))
    put(folder, "group-c", b"\4" + group_c(0x220, "Users", "all", [sid(4), sid(*MACHINE, 1001)]))
    put(folder, "boot.ini", b"\5[boot loader]\ndefault=multi(0)\\W\n[operating systems]\nmulti(0)\\W=\"XP\" /x\nC:\\=DOS /y\n")
    put(folder, "actions", b"\6" + actions("a.exe", "-x"))
    put(folder, "actions-com", b"\6" + struct.pack("<HIHI", 3, 0, 0x7777, 0) + bytes(range(16)) + bytes(4))
    put(folder, "name", b"\7\\??\\Volume{656b1715-ecf6-11df-92e6-806e6f6e6963}")
    put(folder, "path-drive", b"\x08d:\\windows/..\\Users\\alice")
    put(folder, "path-volume", b"\x08\\\\?\\Volume{656b1715-ecf6-11df-92e6-806e6f6e6963}\\Windows")
    put(folder, "path-kernel", b"\x08\\??\\C:\\link")
    put(folder, "path-root", b"\x08%SystemRoot%\\System32\\config")
    for name, texts in (
            ("system", [system_vista("win11", "pc", SERVICES)]),
            ("software", [software_vista("Windows 10 Pro", "Professional", "Client", 22631, 1, "23H2", "lab"), DEFAULT]),
            ("sam", [sam(), "[Policy\\PolPrDmN]\n@=%s\n" % hexes(lsa("WORKGROUP"))]),
            ("user", [NTUSER, NT + profiles("C:\\Users")]),
            ("bcd", [bcd(True, bcd_mbr(1, 2))])):
        put(folder, name, b"\x09" + hive("\n".join(texts)))
    for name, kind, other, texts in seeds_systems():
        put(folder, name, bytes([kind]) + struct.pack("<H", len(other)) + other + hive("\n".join(texts)))


if __name__ == "__main__":
    which, top = sys.argv[1:3]
    if which == "xp":
        xp(top)
    elif which == "nt4":
        nt4(top)
    elif which == "pe":
        pe(top)
    elif which == "product":
        product(top, *sys.argv[3:])
    elif which == "seeds":
        seeds(top)
    elif which == "esp":
        put_hive(top, "EFI/Microsoft/Boot/BCD", bcd(True, bcd_gpt(GPT["C"])))
    else:
        vista(which, top)
