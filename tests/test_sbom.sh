#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Bills of materials: what the schemas of CycloneDX 1.5 and SPDX 2.3 ask for, package URLs against those that the purl
# specification gives, and the same bytes for the same guest. With the published schemas in $VITRINE_SCHEMAS
# (bom-1.5.schema.json with jsf-0.82.schema.json and spdx.schema.json, spdx-schema.json) the documents are validated.
set -euo pipefail

cd "$(dirname "$0")/.."
# shellcheck source=tests/manual-guest.sh
. tests/manual-guest.sh
need mke2fs debugfs sfdisk qemu-img python3
V=$(realpath "${VTR_COMMAND:-build/release/vitrine}")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# shellcheck source=tests/environment.sh
. tests/environment.sh
unset SOURCE_DATE_EPOCH
cd "$dir"
manual_guest

# A system of its own for each package format.
mkdir -p debian/{bin,etc,boot,usr/lib,var/lib/dpkg} apk/{bin,etc,boot,usr,lib/apk/db} \
	pacman/{bin,etc,boot,usr} pacman/var/lib/pacman/local/{linux-6.1.1.arch1-1,gcc-libs-1:12.2.0-1}
for tree in debian apk pacman; do
	echo /dev/sda / ext4 defaults 0 1 >$tree/etc/fstab
done
printf 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian \\\\\\"x\\\\\\""\n' >debian/etc/os-release
echo 12.5 >debian/etc/debian_version
cat >debian/var/lib/dpkg/status <<'X'
Package: attr
Status: install ok installed
Architecture: amd64
Version: 1:2.4.47-2+b2
Description: utilities for "manipulating" attributes

Package: libstdc++6
Status: install ok installed
Architecture: amd64
Source: gcc-12 (12.2.0-14~x&y=z)
Version: 12.2.0-14

Package: libstdc++6
Status: install ok installed
Architecture: i386
Source: gcc-12
Version: 12.2.0-14

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1

Package: half
Status: install reinstreq half-installed
Architecture: all
Version: 1%20
X
printf 'ID=alpine\nVERSION_ID=3.18.4\n' >apk/etc/os-release
echo 3.18.4 >apk/etc/alpine-release
# apk's names are small in package URLs: these two have one.
for package in libCrypto3 libcrypto3; do
	printf 'C:Q1abc=\nP:%s\nV:3.1.4-r0\nA:x86_64\no:openssl\nT:Crypto library\n\n' $package
done >apk/lib/apk/db/installed
printf 'ID=arch\n' >pacman/etc/os-release
touch pacman/etc/arch-release
for package in linux-6.1.1.arch1-1 gcc-libs-1:12.2.0-1; do
	version=${package#linux-}
	printf '%%NAME%%\n%s\n\n%%VERSION%%\n%s\n\n%%BASE%%\n%s\n\n%%ARCH%%\nx86_64\n\n' "${package%%-[0-9]*}" \
		"${version#gcc-libs-}" "${package%%-*}" >"pacman/var/lib/pacman/local/$package/desc"
done
mkdir -p rpm/{bin,etc,boot,usr,var/lib/rpm}
cp debian/etc/fstab rpm/etc
printf 'ID=fedora\nVERSION_ID=39\n' >rpm/etc/os-release
echo 'Fedora release 39 (Thirty Nine)' >rpm/etc/fedora-release
python3 - <<'X'
import sqlite3, struct


def header(name, version, release, epoch, arch, source, vendor):
    """An rpm header as the database has it: tags of strings, and of one number."""
    tags = {1000: name, 1001: version, 1002: release, 1003: epoch, 1011: vendor, 1022: arch, 1044: source}
    index, data = b"", b""
    for tag, value in sorted(tags.items()):
        if value is None:
            continue
        if isinstance(value, int):
            data += bytes(-len(data) % 4)
        index += struct.pack(">4I", tag, 4 if isinstance(value, int) else 6, len(data), 1)
        data += struct.pack(">I", value) if isinstance(value, int) else value.encode() + b"\0"
    return struct.pack(">2I", len(index) // 16, len(data)) + index + data


db = sqlite3.connect("rpm/var/lib/rpm/rpmdb.sqlite")
db.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
for h in (("bash", "5.2.26", "1.fc39", None, "x86_64", "bash-5.2.26-1.fc39.src.rpm", "Fedora Project"),
          ("ImageMagick-libs", "7.1.1.26", "2.fc39", 1, "x86_64", "ImageMagick-7.1.1.26-2.fc39.src.rpm", "Fedora Project"),
          ("zero", "1^git~1", "1", 0, "noarch", "other-3-4.src.rpm", None)):
    db.execute("INSERT INTO Packages (blob) VALUES (?)", (header(*h),))
db.commit()
X
for tree in debian apk pacman rpm; do
	truncate -s 8M $tree.img
	mke2fs -q -F -t ext4 -d $tree $tree.img
done

documents=()
for form in cyclonedx spdx; do
	for image in guest.qcow2 debian.img apk.img pacman.img rpm.img; do
		status=0
		"$V" inspect --sbom "$form" "$image" >"$image.$form" 2>err || status=$?
		[ $status = 0 ] || {
			cat err
			echo "FAILED: inspect --sbom $form $image: status $status"
			exit 1
		}
		"$V" inspect --sbom "$form" "$image" | cmp - "$image.$form"
		documents+=("$image.$form")
	done
	SOURCE_DATE_EPOCH=1714979289 "$V" inspect --sbom "$form" guest.qcow2 >"dated.$form"
	documents+=("dated.$form")
	SOURCE_DATE_EPOCH=nonsense "$V" inspect --sbom "$form" guest.qcow2 | cmp - "guest.qcow2.$form"
done
status=0
"$V" inspect --sbom swid guest.qcow2 2>err || status=$?
[ $status = 2 ] && grep -q 'cyclonedx or spdx' err
truncate -s 1M empty.img
status=0
"$V" inspect --sbom spdx empty.img >out 2>err || status=$?
[ $status = 1 ] && [ ! -s out ]

# The distribution of package URLs is os-release's ID and VERSION_ID, whatever our name for it is: syft 1.x makes the same
# (PURLQualifiers, and BUILD_ID where there is no VERSION_ID), and grype looks ID up in its table IDMapping. The namespace
# differs for two.
distros=$(
	while IFS='|' read -r id release namespace; do
		rm -rf distro distro.img
		mkdir -p distro/{bin,etc,boot,usr} distro/var/lib/rpm
		cp debian/etc/fstab distro/etc
		printf 'ID="%s"\n%s\n' "$id" "$release" >distro/etc/os-release
		cp rpm/var/lib/rpm/rpmdb.sqlite distro/var/lib/rpm
		truncate -s 4M distro.img
		mke2fs -q -F -t ext4 -d distro distro.img
		"$V" inspect --sbom cyclonedx distro.img >distro.json
		python3 - "$namespace" <<-'X'
			import json, sys
			components = json.load(open("distro.json"))["components"]
			system = [c for c in components if c["type"] == "operating-system"][0]
			purl = [c["purl"] for c in components if c["name"] == "bash"][0]
			assert purl.startswith("pkg:rpm/%s/bash@" % sys.argv[1]), purl
			print(system["name"], system.get("version"), purl.split("distro=")[1])
		X
	done <<-'X'
		ol|VERSION_ID="9.4"|ol
		opensuse-leap|VERSION_ID="15.6"|opensuse
		opensuse-tumbleweed|VERSION_ID="20240612"|opensuse
		sles|VERSION_ID="15.5"|sles
		sles_sap|VERSION_ID="15.5"|sles_sap
		rhel|VERSION_ID="9.4"|redhat
		amzn|VERSION_ID="2023"|amzn
		almalinux|VERSION_ID="9.4"|almalinux
		rocky|VERSION_ID="9.4"|rocky
		mariner|VERSION_ID="2.0"|mariner
		rolling|BUILD_ID=rolling|rolling
		nothing||nothing
	X
)
diff - <(echo "$distros") <<'X'
ol 9.4 ol-9.4
opensuse-leap 15.6 opensuse-leap-15.6
opensuse-tumbleweed 20240612 opensuse-tumbleweed-20240612
sles 15.5 sles-15.5
sles_sap 15.5 sles_sap-15.5
rhel 9.4 rhel-9.4
amzn 2023 amzn-2023
almalinux 9.4 almalinux-9.4
rocky 9.4 rocky-9.4
mariner 2.0 mariner-2.0
rolling rolling rolling-rolling
nothing None nothing
X

# The count is that of the list: what was removed is in neither, and what is half-installed is named.
"$V" inspect --packages debian.img >out
grep -q '^  packages      4 (deb, apt), 1 half-installed; 1 removed, with settings left$' out
[ "$(grep -c '^  \(installed \{4\}\| \{13\}\) [a-z0-9+]* [0-9]' out)" = 4 ]
grep -q 'half 1%20 all (half-installed)' out
if grep -q 'gone' out; then exit 1; fi

python3 - "${documents[@]}" <<'X'
import json, os, re, sys, urllib.parse, uuid

checks = 0


def check(what, condition):
    global checks
    checks += 1
    if not condition:
        sys.exit("FAILED: %s" % (what,))


def once(pairs):
    check("members are there once: %s" % [k for k, _ in pairs], len(dict(pairs)) == len(pairs))
    return dict(pairs)


docs = {}
for name in sys.argv[1:]:
    with open(name, "rb") as f:
        docs[name] = json.loads(f.read().decode("utf-8"), object_pairs_hook=once)

UUID5 = r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def check_purl(purl):
    """The canonical form of a package URL."""
    m = re.fullmatch(r"pkg:([a-z]+)/(?:([a-z0-9._-]+)/)?([^/@?#]+)(?:@([^/@?#]+))?(?:\?([^?#]+))?", purl)
    check(purl, m)
    for part in m.group(3, 4):
        if part:
            check(purl, re.fullmatch(r"(?:[A-Za-z0-9._~:-]|%[0-9A-F]{2})+", part))
            check(purl, not re.search(r"%(2D|2E|5F|7E|3A)", part))
    if m.group(5):
        pairs = [q.split("=") for q in m.group(5).split("&")]
        check(purl, all(len(p) == 2 and p[1] for p in pairs))
        keys = [p[0] for p in pairs]
        check(purl, keys == sorted(set(keys)))


NAMESPACE = uuid.UUID("6f1c0d5e-9327-4b8a-a460-2de17b3f58c9")


def check_uuid(got, doc):
    """A UUID of version 5 over the rest of the document, without spaces: RFC 9562."""
    check("identifier", got == str(uuid.uuid5(NAMESPACE, json.dumps(doc, separators=(",", ":"), ensure_ascii=False))))


def cyclonedx(doc):
    check_uuid(doc["serialNumber"][9:], {k: v for k, v in doc.items() if k not in ("$schema", "serialNumber")})
    check("members", set(doc) == {"$schema", "bomFormat", "specVersion", "serialNumber", "version", "metadata", "components"})
    check("form", doc["bomFormat"] == "CycloneDX" and doc["specVersion"] == "1.5" and doc["version"] == 1)
    check("serial", re.fullmatch("urn:uuid:" + UUID5, doc["serialNumber"]))
    check("metadata", set(doc["metadata"]) <= {"timestamp", "tools", "component"})
    refs = [c["bom-ref"] for c in doc["components"] + [doc["metadata"]["component"]]]
    check("references are unique", len(refs) == len(set(refs)))
    systems = [c for c in doc["components"] if c["type"] == "operating-system"]
    check("one system", len(systems) == 1)
    for c in doc["components"]:
        check(c, set(c) <= {"bom-ref", "type", "supplier", "name", "version", "description", "purl", "properties"})
        check(c, c["type"] in ("operating-system", "library") and c["name"])
        check(c, ("purl" in c) == (c["type"] == "library"))
        if "purl" in c:
            check_purl(c["purl"])
    return [c["purl"] for c in doc["components"] if "purl" in c]


def spdx(doc):
    check_uuid(doc["documentNamespace"][-36:], {**doc, "documentNamespace": ""})
    check("members", set(doc) == {"spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo",
                                  "packages", "relationships"})
    check("form", doc["spdxVersion"] == "SPDX-2.3" and doc["dataLicense"] == "CC0-1.0" and doc["SPDXID"] == "SPDXRef-DOCUMENT")
    check("namespace", re.fullmatch("https://spdx.org/spdxdocs/vitrine-" + UUID5, doc["documentNamespace"]))
    check("created", re.fullmatch(TIME, doc["creationInfo"]["created"]) and doc["creationInfo"]["creators"])
    ids = {p["SPDXID"] for p in doc["packages"]}
    check("identifiers are unique", len(ids) == len(doc["packages"]))
    purls = []
    for p in doc["packages"]:
        check(p, re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", p["SPDXID"]))
        check(p, p["name"] and p["downloadLocation"] == "NOASSERTION" and p["filesAnalyzed"] is False)
        for r in p.get("externalRefs", []):
            check(r, r["referenceCategory"] == "PACKAGE-MANAGER" and r["referenceType"] == "purl")
            check_purl(r["referenceLocator"])
            purls.append(r["referenceLocator"])
    related = [(r["spdxElementId"], r["relationshipType"], r["relatedSpdxElement"]) for r in doc["relationships"]]
    described = [r[2] for r in related if r[1] == "DESCRIBES"]
    check("it describes the system", len(described) == 1)
    check("the system contains all else", {r[2] for r in related if r[1] == "CONTAINS"} == ids - set(described))
    check("and nothing is invented", len(related) == len(ids))
    return purls


want = {
    "guest.qcow2": {
        "pkg:deb/debian/base-files@12.4%2Bdeb12u5?arch=amd64&distro=debian-12",
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12&upstream=glibc",
        "pkg:deb/debian/perl-base@5.36.0-7%2Bdeb12u1?arch=amd64&distro=debian-12&upstream=perl%405.36.0-7",
    },
    "debian.img": {
        "pkg:deb/debian/attr@1:2.4.47-2%2Bb2?arch=amd64&distro=debian-12",
        "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=amd64&distro=debian-12&upstream=gcc-12%4012.2.0-14~x%26y%3Dz",
        "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=i386&distro=debian-12&upstream=gcc-12",
        "pkg:deb/debian/half@1%2520?arch=all&distro=debian-12",
    },
    "apk.img": ["pkg:apk/alpine/libcrypto3@3.1.4-r0?arch=x86_64&distro=alpine-3.18.4&upstream=openssl"] * 2,
    "pacman.img": {"pkg:alpm/arch/linux@6.1.1.arch1-1?arch=x86_64&distro=arch",
                   "pkg:alpm/arch/gcc-libs@1:12.2.0-1?arch=x86_64&distro=arch&upstream=gcc"},
    "rpm.img": {"pkg:rpm/fedora/bash@5.2.26-1.fc39?arch=x86_64&distro=fedora-39",
                "pkg:rpm/fedora/ImageMagick-libs@7.1.1.26-2.fc39?arch=x86_64&distro=fedora-39&epoch=1&upstream=ImageMagick",
                "pkg:rpm/fedora/zero@1%5Egit~1-1?arch=noarch&distro=fedora-39&upstream=other%403-4"},
}
want["dated"] = want["guest.qcow2"]
for name, doc in docs.items():
    image, form = name.rsplit(".", 1)
    got = cyclonedx(doc) if form == "cyclonedx" else spdx(doc)
    check("%s: %s" % (name, got), sorted(got) == sorted(want[image]))

suppliers = {c["name"]: c.get("supplier") for c in docs["rpm.img.cyclonedx"]["components"]}
check(suppliers, suppliers["bash"] == {"name": "Fedora Project"} and suppliers["zero"] is None)
suppliers = {p["name"]: p["supplier"] for p in docs["rpm.img.spdx"]["packages"]}
check(suppliers, suppliers["bash"] == "Organization: Fedora Project" and suppliers["zero"] == "NOASSERTION")
check("no clock", "timestamp" not in docs["guest.qcow2.cyclonedx"]["metadata"])
check("no clock", docs["guest.qcow2.spdx"]["creationInfo"]["created"] == "1970-01-01T00:00:00Z")
check("clock", docs["dated.cyclonedx"]["metadata"]["timestamp"] == "2024-05-06T07:08:09Z")
check("clock", docs["dated.spdx"]["creationInfo"]["created"] == "2024-05-06T07:08:09Z")
check("contents name it", docs["dated.cyclonedx"]["serialNumber"] != docs["guest.qcow2.cyclonedx"]["serialNumber"])

check("one name, two references", {c["bom-ref"][-2:] == "#2" for c in docs["apk.img.cyclonedx"]["components"]} == {True, False})
for name, doc in docs.items():
    with open(name, encoding="utf-8") as f:
        check("layout of %s" % name, f.read() == json.dumps(doc, indent=2, ensure_ascii=False) + "\n")

schemas = os.environ.get("VITRINE_SCHEMAS")
if schemas:
    import jsonschema

    def load(name):
        with open(os.path.join(schemas, name)) as f:
            return json.load(f)

    bom = load("bom-1.5.schema.json")
    store = {"http://cyclonedx.org/schema/" + n: load(n) for n in ("spdx.schema.json", "jsf-0.82.schema.json")}
    resolver = jsonschema.RefResolver(bom["$id"], bom, store)
    validators = {"cyclonedx": jsonschema.Draft7Validator(bom, resolver=resolver),
                  "spdx": jsonschema.Draft7Validator(load("spdx-schema.json"))}
    for name, doc in docs.items():
        errors = [e.message for e in validators[name.rsplit(".", 1)[1]].iter_errors(doc)]
        check("%s: %s" % (name, errors[:3]), not errors)
else:
    print("the published schemas are not here: VITRINE_SCHEMAS names their folder")
print("%d documents, %d checks" % (len(docs), checks))
X
