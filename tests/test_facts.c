/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Records and the facts beside them. The expected values of the parsers are worked out by hand from the manual pages of
 * the files: passwd(5), shadow(5), group(5), sudoers(5), crontab(5), anacrontab(5), interfaces(5), netplan(5),
 * nm-settings-keyfile(5), systemd.network(5), sshd_config(5), sources.list(5), pacman.conf(5), utmp(5); fingerprints are
 * those of ssh-keygen 9.2.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"
#include "inspect/records.h"

/* A record's members as one text: "name=root uid=0 members=[a,b]", and what may be wrong of one is seen at once. */
static void record_text(char *out, size_t size, const struct vtr_record *r)
{
	size_t at = 0;

	out[0] = 0;
	for (size_t i = 0; i < r->n && at < size; i++) {
		const struct vtr_member *m = &r->members[i];
		bool list = m->kind == VTR_MEMBER_LIST;
		size_t from;

		at += (size_t)snprintf(out + at, size - at, "%s%s=%s", i ? " " : "", m->key, list ? "[" : "");
		from = at;
		at += (size_t)snprintf(out + at, size - at, "%s%s", m->value, list ? "]" : "");
		for (size_t j = from; list && j < at && j < size; j++)
			out[j] = out[j] == '\n' ? ',' : out[j];
	}
}

static struct vtr_os *os_new(const struct vtr_limits *lim)
{
	struct vtr_ctx *ctx = vtr_ctx_new(lim, NULL);
	struct vtr_os *os;

	assert_non_null(ctx);
	os = vtr_os_new(ctx, "/dev/sda1", NULL, NULL);
	assert_non_null(os);
	vtr_ctx_unref(ctx);
	return os;
}

struct parsed {
	vtr_text_fn *parse;
	const char *path, *text, *kind;
	const char *records[8]; /* in order; NULL: no more */
};

static int passwd_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	static const char shadow[] = "root:*:19849:0:99999:7:::\n"
				     "alice:$y$j9T$abcdefghijklmnop$qrst:19849:0:99999:7::20454:\n"
				     "bob:!$6$salt$abcdefghijklmnop:0:::::\n"
				     "eve::19849::::::\n"
				     "old:!!:::::::\n";

	return vtr_passwd_parse(os, path, text, len, shadow, strlen(shadow), err);
}

static const struct parsed parsed[] = {
	/* 19849 days are 2024-05-06, 20454 are 2026-01-01. */
	{ passwd_parse,
	  "/etc/passwd",
	  "root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000:Alice,,,:/home/alice:/bin/zsh\n"
	  "bob:x:1001:1001::/home/bob:\neve:x:1002:100::/:/bin/sh\nold:x:99:99::/:/sbin/nologin\nnew:x:98:98::/:/bin/sh\n",
	  "users",
	  { "name=root uid=0 gid=0 gecos=root home=/root shell=/bin/bash locked=true has_password=false "
	    "password_changed=2024-05-06T00:00:00.000000000Z",
	    "name=alice uid=1000 gid=1000 gecos=Alice,,, home=/home/alice shell=/bin/zsh locked=false has_password=true "
	    "password_changed=2024-05-06T00:00:00.000000000Z expires=2026-01-01T00:00:00.000000000Z",
	    "name=bob uid=1001 gid=1001 home=/home/bob shell=/bin/sh locked=true has_password=true must_change=true",
	    "name=eve uid=1002 gid=100 home=/ shell=/bin/sh locked=false has_password=false "
	    "password_changed=2024-05-06T00:00:00.000000000Z",
	    "name=old uid=99 gid=99 home=/ shell=/sbin/nologin locked=true has_password=false",
	    "name=new uid=98 gid=98 home=/ shell=/bin/sh locked=true has_password=false" } },
	/* What is no user: NIS, too few fields, numbers that are none or too large; and a name that a terminal would obey. */
	{ passwd_parse,
	  "/etc/passwd",
	  "+::::::\n-x:::::\n\n# c\na:x:1\n:x:1:1:::\na:x:one:1:::\na:x:4294967296:1:::\na:x:1:-1:::\n"
	  "\033[31mred:*:4294967295:7:\xff:/:/bin/sh\r\n",
	  "users",
	  { "name=\\x1B[31mred uid=4294967295 gid=7 gecos=\\xFF home=/ shell=/bin/sh locked=true has_password=false" } },
	{ vtr_group_parse,
	  "/etc/group",
	  "root:x:0:\nsudo:x:27:alice,bob\nshort:x:5\nbad:x:y:z\nnis:+\n,:*:1:,, ,a\n",
	  "groups",
	  { "name=root gid=0 members=[]", "name=sudo gid=27 members=[alice,bob]", "name=short gid=5 members=[]",
	    "name=, gid=1 members=[a]" } },
	/* As cvtsudoers 1.9.13 reads them: what is a comment, what a quote holds together, where a line goes on. */
	{ vtr_sudoers_parse,
	  "/etc/sudoers",
	  "# a comment \\\nDefaults\tenv_reset\nUser_Alias ADMINS = alice, \\\n\tbob # two\n"
	  "root ALL=(ALL:ALL) ALL\n%wheel ALL=(ALL) NOPASSWD : ALL\n#1000 ALL=/bin/ls\n@includedir /etc/sudoers.d\n"
	  "#include /etc/sudoers.local\nx ALL=/bin/a\\#b",
	  "sudoers",
	  { "type=defaults text=Defaults env_reset", "type=alias text=User_Alias ADMINS = alice, bob",
	    "type=rule text=root ALL=(ALL:ALL) ALL who=root nopasswd=false",
	    "type=rule text=%wheel ALL=(ALL) NOPASSWD : ALL who=%wheel nopasswd=true",
	    "type=rule text=#1000 ALL=/bin/ls who=#1000 nopasswd=false",
	    "type=rule text=x ALL=/bin/a\\\\#b who=x nopasswd=false" } },
	{ vtr_sudoers_parse,
	  "/etc/sudoers",
	  "Defaults badpass_message=\"a  # b\" # c\nDefaults passprompt=\"a\\\n   b\"\nCmnd_Alias C = /bin/x \"a # b\"\n"
	  "a, b,\"c d\" , e\\\n ALL=ALL\n#-1 ALL=ALL\n#-a ALL=ALL\n #include x\ny ALL=/bin/z NOPASSWD\n",
	  "sudoers",
	  { "type=defaults text=Defaults badpass_message=\"a  # b\"", "type=defaults text=Defaults passprompt=\"ab\"",
	    "type=alias text=Cmnd_Alias C = /bin/x \"a",
	    "type=rule text=a, b,\"c d\" , e ALL=ALL who=a, b,\"c d\" , e nopasswd=false",
	    "type=rule text=#-1 ALL=ALL who=#-1 nopasswd=false",
	    "type=rule text=y ALL=/bin/z NOPASSWD who=y nopasswd=false" } },
	/* As systemd-sysctl 252 takes them: the last one counts; "/" and "." change places behind a first "/". */
	{ vtr_sysctl_parse,
	  "/etc/sysctl.d/a.conf",
	  "# c\n; c\nvm.x=1\n net/ipv4/conf/eth0.1/y = 2 3 \n-vm.z=\n-vm.q\nvm.x=4\nvm.n\n=5\n-\nnet.ipv4.conf.*.y=6",
	  "sysctl",
	  { "name=net.ipv4.conf.eth0/1.y value=2 3 optional=false excluded=false",
	    "name=vm.z optional=true excluded=false", "name=vm.q optional=true excluded=true",
	    "name=vm.x value=4 optional=false excluded=false",
	    "name=net.ipv4.conf.*.y value=6 optional=false excluded=false" } },
	/* kmod 30. */
	{ vtr_modprobe_parse,
	  "/etc/modprobe.d/a.conf",
	  "blacklist a-b c # d\nalias x-[a-c] d-e\n# f\noptions g h=1 \\\n  i=2\ninstall j\nfoo k\nremove l /bin/m  n\n",
	  "module_settings",
	  { "type=blacklist module=a_b", "type=alias module=x_[a-c] value=d_e", "type=options module=g value=h=1   i=2",
	    "type=remove module=l value=/bin/m  n" } },
	{ vtr_modules_load_parse,
	  "/etc/modules-load.d/a.conf",
	  "# c\n; c\n br-netfilter \nloop\n",
	  "module_settings",
	  { "type=load module=br_netfilter", "type=load module=loop" } },
	/* pam_env of Linux-PAM 1.5.2. */
	{ vtr_environment_parse,
	  "/etc/environment",
	  "# c\nA=\"b  c\"\nexport D='e\n F=\"g # h\"\nI-J=k\nL =m\nN=o \n",
	  "environment",
	  { "name=A value=b  c manager=pam_env", "name=D value=e manager=pam_env", "name=F value=g  manager=pam_env",
	    "name=N value=o  manager=pam_env" } },
	{ vtr_environment_d_parse,
	  "/etc/environment.d/a.conf",
	  "A=\"b c\"\nPATH=${HOME}/bin:$PATH\n",
	  "environment",
	  { "name=A value=b c manager=systemd", "name=PATH value=${HOME}/bin:$PATH manager=systemd" } },
	{ vtr_crontab_parse,
	  "/etc/crontab",
	  "SHELL=/bin/sh\nPATH = /bin\n17 *\t* * *\troot\tcd / && run-parts x\n@daily  bob  /bin/b  c\n-*/5 0 1 1 0 u v\n"
	  "1 2 3 4\n@hourly root\n# 1 2 3 4 5 u c\n",
	  "cron",
	  { "schedule=17 * * * * user=root command=cd / && run-parts x", "schedule=@daily user=bob command=/bin/b  c",
	    "schedule=*/5 0 1 1 0 user=u command=v" } },
	{ vtr_crontab_user_parse,
	  "/var/spool/cron/crontabs/alice",
	  "MAILTO=\"\"\n\"A B\"=c\n0 4 * * 1-5 backup now\n@reboot x\n",
	  "cron",
	  { "schedule=0 4 * * 1-5 user=alice command=backup now", "schedule=@reboot user=alice command=x" } },
	{ vtr_anacrontab_parse,
	  "/etc/anacrontab",
	  "RANDOM_DELAY=45\n1\t5\tcron.daily\tnice run-parts /etc/cron.daily\n@monthly 45 cron.monthly x\n7 10 only\n",
	  "cron",
	  { "schedule=1 days user=root command=nice run-parts /etc/cron.daily",
	    "schedule=@monthly user=root command=x" } },
	{ vtr_ifupdown_parse,
	  "/etc/network/interfaces",
	  "auto lo eth0\niface lo inet loopback\n\nallow-hotplug eth0\niface eth0 inet static\n"
	  "    address 192.0.2.7\n    netmask 255.255.255.0\n    gateway 192.0.2.1\n    dns-nameservers 192.0.2.53 192.0.2.54\n"
	  "    hwaddress ether 52:54:00:12:34:56\niface eth0 inet6 static\n address 2001:db8::7/64\niface wlan0 inet dhcp\n",
	  "interfaces",
	  { "name=lo manager=ifupdown method=loopback addresses=[] gateways=[] dns=[]",
	    "name=eth0 manager=ifupdown method=static method6=static mac=52:54:00:12:34:56 "
	    "addresses=[192.0.2.7/24,2001:db8::7/64] gateways=[192.0.2.1] dns=[192.0.2.53,192.0.2.54]",
	    "name=wlan0 manager=ifupdown method=dhcp addresses=[] gateways=[] dns=[]" } },
	/* Masks: one with a hole and one that is no number are left out. */
	{ vtr_ifupdown_parse,
	  "/etc/network/interfaces",
	  "iface a inet static\naddress 10.0.0.1\nnetmask 255.0.255.0\niface b inet static\naddress 10.0.0.1\nnetmask 8\n"
	  "iface c inet static\nnetmask 255.255.255.128\naddress 10.0.0.1\niface d inet static\naddress 10.0.0.1/8\nnetmask 9\n"
	  "",
	  "interfaces",
	  { "name=a manager=ifupdown method=static addresses=[10.0.0.1] gateways=[] dns=[]",
	    "name=b manager=ifupdown method=static addresses=[10.0.0.1/8] gateways=[] dns=[]",
	    "name=c manager=ifupdown method=static addresses=[10.0.0.1/25] gateways=[] dns=[]",
	    "name=d manager=ifupdown method=static addresses=[10.0.0.1/9] gateways=[] dns=[]" } },
	/* As ifquery 0.8.41: lines that go on, what is inherited stands first, the masks of classes, several methods. */
	{ vtr_ifupdown_parse,
	  "/etc/network/interfaces",
	  "iface b \\\n inet static\n address 172.16.0.1/12\n gateway 172.16.0.9\n # c \\\niface e inherits b\n"
	  " address 172.16.0.2/12\n dns-nameservers 192.0.2.1\niface e inet dhcp\niface e inet static\n address 200.0.0.1\n"
	  "mapping m\n script x\nno-scripts e\niface f inherits b inet6 auto\n",
	  "interfaces",
	  { NULL } },
	{ vtr_ifupdown_parse,
	  "/etc/network/interfaces",
	  "iface b \\\n inet static\n address 172.16.0.1/12\n gateway 172.16.0.9\n # c \\\niface e inherits b\n"
	  " address 172.16.0.2/12\n dns-nameservers 192.0.2.1\niface e inet dhcp\niface e inet static\n address 200.0.0.1\n"
	  "mapping m\n script x\nno-scripts e\niface f inherits b inet dhcp\n",
	  "interfaces",
	  { "name=b manager=ifupdown method=static addresses=[172.16.0.1/12] gateways=[172.16.0.9] dns=[]",
	    "name=e manager=ifupdown method=static addresses=[172.16.0.1/12,200.0.0.1/24] gateways=[172.16.0.9] "
	    "dns=[192.0.2.1]",
	    "name=e manager=ifupdown method=dhcp addresses=[] gateways=[] dns=[]",
	    "name=f manager=ifupdown method=dhcp addresses=[172.16.0.1/12] gateways=[172.16.0.9] dns=[]" } },
	{ vtr_netplan_parse,
	  "/etc/netplan/50-cloud-init.yaml",
	  "# by cloud-init\nnetwork:\n    ethernets:\n        eth0:\n            dhcp4: true\n            match:\n"
	  "                macaddress: '52:54:00:12:34:56'\n            set-name: lan0\n    version: 2\n",
	  "interfaces",
	  { "name=lan0 manager=netplan method=dhcp mac=52:54:00:12:34:56 addresses=[] gateways=[] dns=[]" } },
	{ vtr_netplan_parse,
	  "/etc/netplan/01.yaml",
	  "network:\n  version: 2\n  renderer: networkd\n  ethernets:\n    enp3s0:\n      addresses:\n"
	  "        - 192.0.2.7/24 # the old one\n        - 10.0.0.1/8:\n            label: \"a:b\"\n            lifetime: 0\n"
	  "        - \"2001:db8::7/64\"\n      nameservers:\n        search: [example, x]\n        addresses: [192.0.2.53,\n"
	  "          '2001:db8::53']\n      routes:\n      - to: 10.1.0.0/16\n        via: 192.0.2.9\n      - to: default\n"
	  "        via: 192.0.2.1\n    \"enp4s0\": {dhcp4: no, dhcp6: yes, gateway4: 192.0.2.2}\n  bridges:\n    br0:\n"
	  "      interfaces: [enp3s0]\n      routes: [{to: 0.0.0.0/0, via: 10.0.0.2}, {via: 10.0.0.3, to: 10.9.0.0/16}]\n",
	  "interfaces",
	  { "name=enp3s0 manager=netplan method=static method6=static addresses=[192.0.2.7/24,10.0.0.1/8,2001:db8::7/64] "
	    "gateways=[192.0.2.1] dns=[192.0.2.53,2001:db8::53]",
	    "name=enp4s0 manager=netplan method6=dhcp addresses=[] gateways=[192.0.2.2] dns=[]",
	    "name=br0 manager=netplan addresses=[] gateways=[10.0.0.2] dns=[]" } },
	/* Aliases, as netplan get 0.106 shows them; one of nothing, and one within its own anchor. */
	{ vtr_netplan_parse,
	  "/etc/netplan/x.yaml",
	  "network:\n  ethernets:\n    a: &x\n      dhcp4: !!bool true\n      addresses: &l [&q 10.0.0.1/8, 10.0.0.2/8]\n    b: *x\n"
	  "    c:\n      addresses: *l\n      macaddress: >-\n        00:11:22:33:44:55\n    d: {addresses: [*q], dhcp6: *no}\n"
	  "    e: &e\n      addresses: *e\n",
	  "interfaces",
	  { "name=a manager=netplan method=dhcp addresses=[10.0.0.1/8,10.0.0.2/8] gateways=[] dns=[]",
	    "name=b manager=netplan method=dhcp addresses=[10.0.0.1/8,10.0.0.2/8] gateways=[] dns=[]",
	    "name=c manager=netplan method=static mac=00:11:22:33:44:55 addresses=[10.0.0.1/8,10.0.0.2/8] gateways=[] dns=[]",
	    "name=d manager=netplan method=static addresses=[10.0.0.1/8] gateways=[] dns=[]" } },
	/* Not closed, too deep, no YAML at all. */
	{ vtr_netplan_parse,
	  "/etc/netplan/x.yaml",
	  "network: {ethernets: {a: {dhcp4: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1",
	  "interfaces",
	  { NULL } },
	{ vtr_netplan_parse, "/etc/netplan/x.yaml", "network:\n- -\n: :\n\t-\n  ethernets\n", "interfaces", { NULL } },
	{ vtr_keyfile_parse,
	  "/etc/NetworkManager/system-connections/wired.nmconnection",
	  "[connection]\nid=Wired\nuuid=x\ntype=ethernet\ninterface-name=eth0\n\n[ethernet]\nmac-address=52:54:00:12:34:56\n\n"
	  "[ipv4]\nmethod=manual\naddress1=192.0.2.7/24,192.0.2.1\naddress2=192.0.2.8/24\ndns=192.0.2.53;192.0.2.54;\n\n"
	  "[ipv6]\nmethod=auto\naddr-gen-mode=default\n",
	  "interfaces",
	  { "name=eth0 manager=NetworkManager method=static method6=dhcp mac=52:54:00:12:34:56 "
	    "addresses=[192.0.2.7/24,192.0.2.8/24] gateways=[192.0.2.1] dns=[192.0.2.53,192.0.2.54]" } },
	{ vtr_crypttab_parse,
	  "/etc/crypttab",
	  "# c\nroot UUID=1 none luks,discard\nswap /dev/sda2 /dev/urandom swap\ndata /dev/sdb\none\n",
	  "crypttab",
	  { "name=root spec=UUID=1 options=[luks,discard]",
	    "name=swap spec=/dev/sda2 key_file=/dev/urandom options=[swap]", "name=data spec=/dev/sdb options=[]" } },
	/* The first value counts, but for what adds up. */
	{ vtr_sshd_config_parse,
	  "/etc/ssh/sshd_config",
	  "permitrootlogin no\nPermitRootLogin yes\nPort 1\nPort 2\nMatch User a\nPermitRootLogin yes\n",
	  "ssh_settings",
	  { "name=PermitRootLogin value=no", "name=Port value=1", "name=Port value=2",
	    "name=PermitRootLogin value=yes match=User a" } },
	/* The older form of addresses; escapes; the order of nmcli --offline 1.42. */
	{ vtr_keyfile_parse,
	  "/etc/NetworkManager/system-connections/old",
	  "[connection]\nid=a\\sb\n[ipv4]\nmethod=manual\naddress2=10.0.0.2\naddresses1=172.20.0.5;24;172.20.0.1;\n"
	  "Gateway=10.0.0.9\naddress01=10.0.0.3/8\n",
	  "interfaces",
	  { "name=a b manager=NetworkManager method=static addresses=[172.20.0.5/24,10.0.0.2/24] gateways=[172.20.0.1] "
	    "dns=[]" } },
	/* GLib refuses the whole file for one line that is none of its kinds. */
	{ vtr_keyfile_parse,
	  "/etc/NetworkManager/system-connections/cut",
	  "[connection]\nid=x\n[ipv4]\nmethod=auto\naddress1\n",
	  "interfaces",
	  { NULL } },
	/* A byte-order mark, comments within a value, CRLF, values that are taken back, keys in other letters. */
	{ vtr_networkd_parse,
	  "/etc/systemd/network/lan.network",
	  "\xef\xbb\xbf[Match]\r\nName=a \\\r\n; c\r\n  b\r\n[Network]\r\ndhcp=yes\r\nDNS=192.0.2.1\r\nDNS=\r\n"
	  "Address=192.0.2.7/24\r\n",
	  "interfaces",
	  { "name=a b manager=systemd-networkd method=static addresses=[192.0.2.7/24] gateways=[] dns=[]" } },
	{ vtr_unit_parse,
	  "/usr/lib/systemd/system/a-b@.service",
	  "[Unit]\nDescription=x\nDescription=%j \\\n# c\n%%\n[Service]\nExecStart=/bin/a\nExecStart=\nExecStart=/bin/b "
	  "\\\n  c\nUser=u\nuser=v\n",
	  "services",
	  { "name=a-b@.service description=b  % exec=[/bin/b c] user=u" } },
	/* One interface in two parts: scalars are set anew, lists grow by what they do not have. */
	{ vtr_netplan_parse,
	  "/etc/netplan/a.yaml",
	  "network:\n  ethernets:\n    a: {dhcp4: yes, addresses: [10.0.0.1/8]}\n    b: {dhcp6: true}\n    a:\n      dhcp4: no\n"
	  "      addresses: ['2001:db8::1/64', 10.0.0.1/8, 10.0.0.2/8]\n",
	  "interfaces",
	  { "name=a manager=netplan method=static method6=static addresses=[10.0.0.1/8,10.0.0.2/8,2001:db8::1/64] "
	    "gateways=[] dns=[]",
	    "name=b manager=netplan method6=dhcp addresses=[] gateways=[] dns=[]" } },
	{ vtr_networkd_parse,
	  "/etc/systemd/network/lan.network",
	  "[Match]\nName=en*\n[Network]\nDHCP=yes\nDNS=192.0.2.53 192.0.2.54\n[Address]\nAddress=192.0.2.7/24\n"
	  "[Route]\nGateway=192.0.2.1\n",
	  "interfaces",
	  { "name=en* manager=systemd-networkd method=dhcp method6=dhcp addresses=[192.0.2.7/24] gateways=[192.0.2.1] "
	    "dns=[192.0.2.53,192.0.2.54]" } },
	/* systemd.network(5), systemd.netdev(5), systemd.link(5): conditions; "!" is for all words of its line. */
	{ vtr_networkd_parse,
	  "/etc/systemd/network/a.network",
	  "[Match]\nType=ether wlan\nDriver=!e1000* ixgbe\nPath=pci-*\nKind=\n[Network]\nDHCP=ipv4\n",
	  "interfaces",
	  { "name=Path=pci-* manager=systemd-networkd method=dhcp match=[Path=pci-*,Driver=!e1000* !ixgbe,Type=ether wlan] "
	    "addresses=[] gateways=[] dns=[]" } },
	{ vtr_networkd_parse,
	  "/etc/systemd/network/b.network",
	  "[Match]\nName=!lo en*\nName=wl*\nPermanentMACAddress=00:11:22:33:44:55\n[Link]\nUnmanaged=yes\n",
	  "interfaces",
	  { "name=!lo !en* wl* manager=systemd-networkd method=unmanaged method6=unmanaged "
	    "match=[PermanentMACAddress=00:11:22:33:44:55] addresses=[] gateways=[] dns=[]" } },
	{ vtr_networkd_parse, "/etc/systemd/network/c.network", "[Network]\nDHCP=yes\n", "interfaces", { NULL } },
	{ vtr_networkd_parse,
	  "/etc/systemd/network/v.netdev",
	  "[Match]\nHost=a\n[NetDev]\nName=vlan7\nKind=vlan\nMACAddress=00:11:22:33:44:55\n[VLAN]\nId=7\n",
	  "interfaces",
	  { "name=vlan7 manager=systemd-networkd kind=vlan mac=00:11:22:33:44:55 match=[Host=a] addresses=[] gateways=[] "
	    "dns=[]" } },
	{ vtr_networkd_parse,
	  "/etc/systemd/network/l.link",
	  "[Match]\nMACAddress=00:11:22:33:44:55\n[Link]\nName=lan0\n",
	  "interfaces",
	  { "name=lan0 manager=udev match=[MACAddress=00:11:22:33:44:55] addresses=[] gateways=[] dns=[]" } },
	{ vtr_networkd_parse,
	  "/usr/lib/systemd/network/99-default.link",
	  "[Match]\nOriginalName=*\n[Link]\nNamePolicy=keep kernel\n",
	  "interfaces",
	  { NULL } },
	{ vtr_ifcfg_parse,
	  "/etc/sysconfig/network-scripts/ifcfg-eth0",
	  "TYPE=Ethernet\nBOOTPROTO=none\nNAME=\"System eth0\"\nHWADDR=52:54:00:12:34:56\nIPADDR=192.0.2.7\n"
	  "NETMASK=255.255.255.0\nIPADDR1=10.0.0.1\nPREFIX1=8\nGATEWAY=192.0.2.1\nDNS1=192.0.2.53\nIPV6ADDR=2001:db8::7/64\n",
	  "interfaces",
	  { "name=eth0 manager=ifcfg method=static method6=static mac=52:54:00:12:34:56 "
	    "addresses=[2001:db8::7/64,192.0.2.7/24,10.0.0.1/8] gateways=[192.0.2.1] dns=[192.0.2.53]" } },
	{ vtr_ifcfg_parse,
	  "/etc/sysconfig/network/ifcfg-eth1",
	  "BOOTPROTO='dhcp'\nSTARTMODE='auto'\n",
	  "interfaces",
	  { "name=eth1 manager=ifcfg method=dhcp addresses=[] gateways=[] dns=[]" } },
	/* 32 bytes of 0xa0; the fingerprint is ssh-keygen's. */
	{ vtr_ssh_key_parse,
	  "/etc/ssh/ssh_host_ed25519_key.pub",
	  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCg root@www\n",
	  "ssh_host_keys",
	  { "type=ssh-ed25519 bits=256 fingerprint=SHA256:1doh26cZn2ZmtKkpwU02TNqAbnVre/LKhbAurzJIXRs comment=root@www" } },
	/* The type within the key is another; no base64; cut. */
	{ vtr_ssh_key_parse, "/k", "ssh-ed25518 AAAAC3NzaC1lZDI1NTE5AAAAIKCg\n", "ssh_host_keys", { NULL } },
	{ vtr_ssh_key_parse, "/k", "ssh-ed25519 AAAAC3Nz!C1lZDI1NTE5AAAAIKCg\n", "ssh_host_keys", { NULL } },
	{ vtr_ssh_key_parse, "/k", "ssh-ed25519 AAAAC3Nz\n", "ssh_host_keys", { NULL } },
	{ vtr_sshd_config_parse,
	  "/etc/ssh/sshd_config",
	  "#Port 22\nPort 2222\n  permitrootlogin  \"no\"\nPrintMotd no\nCiphers=aes256-ctr,aes128-ctr\nMatch User git\n"
	  "\tForceCommand x y\nMatch all\nUsePAM yes\n",
	  "ssh_settings",
	  { "name=Port value=2222", "name=PermitRootLogin value=no", "name=Ciphers value=aes256-ctr,aes128-ctr",
	    "name=ForceCommand value=x y match=User git", "name=UsePAM value=yes" } },
	{ vtr_docker_repositories_parse,
	  "/r.json",
	  "{\"Repositories\":{\"alpine\":{\"alpine:3.19\":\"sha256:0123\",\"alpine@sha256:45\":\"sha256:0123\"},"
	  "\"reg:5000/a\":{\"reg:5000/a:b\":\"sha256:67\"}}}",
	  "container_images",
	  { "store=docker names=[alpine:3.19] id=0123", "store=docker names=[reg:5000/a:b] id=67" } },
	{ vtr_storage_images_parse,
	  "/i.json",
	  "[{\"id\":\"01\",\"digest\":\"sha256:23\",\"names\":[\"a/b:c\",\"d\"],\"layer\":\"x\",\"metadata\":\"{\\\"id\\\":1}\","
	  "\"created\":\"2024-05-06T07:08:09Z\"},{\"id\":\"45\",\"flags\":{\"id\":\"no\"}}]",
	  "container_images",
	  { "store=containers-storage names=[a/b:c,d] id=01 digest=sha256:23 created=2024-05-06T07:08:09Z",
	    "store=containers-storage names=[] id=45" } },
	{ vtr_sources_list_parse,
	  "/etc/apt/sources.list",
	  "# deb http://no/ x y\ndeb http://deb.debian.org/debian bookworm main contrib\n"
	  "deb-src [arch=amd64 signed-by=/k.gpg] https://user:p@ss@deb.example/debian/ ./ # flat\ndeb\nfoo http://x y z\n",
	  "repositories",
	  { "manager=apt type=deb enabled=true uris=[http://deb.debian.org/debian] suites=[bookworm] components=[main,contrib]",
	    "manager=apt type=deb-src enabled=true uris=[https://deb.example/debian/] suites=[./] components=[]" } },
	{ vtr_deb822_sources_parse,
	  "/etc/apt/sources.list.d/ubuntu.sources",
	  "# c\nTypes: deb deb-src\nURIs: http://a.example/ http://b.example/\nSuites: noble\n noble-updates\n"
	  "Components: main\nSigned-By: /k\n\n\nTypes: deb\nURIs: http://c/\nSuites: x\nEnabled: no\n",
	  "repositories",
	  { "manager=apt type=deb enabled=true uris=[http://a.example/,http://b.example/] "
	    "suites=[noble,noble-updates] components=[main]",
	    "manager=apt type=deb-src enabled=true uris=[http://a.example/,http://b.example/] "
	    "suites=[noble,noble-updates] components=[main]",
	    "manager=apt type=deb enabled=false uris=[http://c/] suites=[x] components=[]" } },
	{ vtr_yum_repo_parse,
	  "/etc/yum.repos.d/a.repo",
	  "[base]\nname=Base - $releasever\nbaseurl=http://a/$basearch\n        http://b/\ngpgcheck=1\n\n[extra]\n"
	  "metalink = https://m/\nenabled=0\n[main]\nbaseurl=x\n",
	  "repositories",
	  { "manager=yum name=base enabled=true uris=[http://a/$basearch,http://b/] suites=[] components=[]",
	    "manager=yum name=extra enabled=false uris=[https://m/] suites=[] components=[]" } },
	{ vtr_apk_repositories_parse,
	  "/etc/apk/repositories",
	  "http://dl-cdn.alpinelinux.org/alpine/v3.19/main\n#http://off\n@edge http://e/main\n/media/cdrom/apks\n",
	  "repositories",
	  { "manager=apk enabled=true uris=[http://dl-cdn.alpinelinux.org/alpine/v3.19/main] suites=[] components=[]",
	    "manager=apk name=edge enabled=true uris=[http://e/main] suites=[] components=[]",
	    "manager=apk enabled=true uris=[/media/cdrom/apks] suites=[] components=[]" } },
	{ vtr_pacman_conf_parse,
	  "/etc/pacman.conf",
	  "[options]\nHoldPkg = pacman\n[core]\nInclude = /etc/pacman.d/mirrorlist\n[own]\nSigLevel = Never\nServer = file:///r\n",
	  "repositories",
	  { "manager=pacman name=core enabled=true uris=[] suites=[] components=[]",
	    "manager=pacman name=own enabled=true uris=[file:///r] suites=[] components=[]" } },
};

static void parsers_read_what_the_manuals_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < VTR_COUNT(parsed); i++) {
		const struct parsed *p = &parsed[i];
		struct vtr_os *os = os_new(NULL);
		const struct vtr_record *r;
		struct vtr_error err = { 0 };
		char got[1024];
		size_t n;

		if (p->parse(os, p->path, p->text, strlen(p->text), &err) < 0)
			fail_msg("%zu: %s", i, err.text);
		for (n = 0; (r = vtr_os_record(os, p->kind, n)); n++) {
			record_text(got, sizeof(got), r);
			if (n == VTR_COUNT(p->records) || !p->records[n])
				fail_msg("%s: \"%s\", expected no more", p->path, got);
			assert_string_equal(p->records[n], got);
			assert_string_equal(p->path, r->path);
			assert_string_equal("/dev/sda1", r->device);
			assert_string_equal(p->kind, r->kind);
		}
		if (n < VTR_COUNT(p->records) && p->records[n])
			fail_msg("%s: nothing more, expected \"%s\"", p->path, p->records[n]);
		vtr_os_free(os);
	}
}

static void fact_of(struct vtr_os *os, const char *key, const char *want)
{
	const struct vtr_fact *f = vtr_os_fact(os, key);

	if ((f == NULL) != (want == NULL) || (f && strcmp(f->value, want) != 0))
		fail_msg("%s: %s, expected %s", key, f ? f->value : "none", want ? want : "none");
}

static void parsers_tell_facts(void **state)
{
	static const struct {
		vtr_text_fn *parse;
		const char *text, *key, *value;
	} cases[] = {
		{ vtr_grub_parse, "set default=\"0\"\nmenuentry 'Debian GNU/Linux' --class x {\n}\n", "boot_default",
		  "Debian GNU/Linux" },
		{ vtr_grub_parse,
		  "if x\n  set default=\"${next_entry}\"\nelse\n   set default=\"1\"\nfi\nmenuentry 'A' {\n\tmenuentry 'no' {\n\t}\n}\n"
		  "submenu \"B's\" {\n}\n",
		  "boot_default", "B's" },
		{ vtr_grub_parse, "set default=\"${saved_entry}\"\nmenuentry 'A' {\n}\n", "boot_default", "A" },
		{ vtr_grub_parse, "set default=\"a>b\"\n", "boot_default", "a>b" },
		{ vtr_grub_parse, "set default=\"7\"\nmenuentry 'A' {\n}\n", "boot_default", "A" },
		{ vtr_grub_parse, "menuentry 'A' {\n}\n", "boot_default", NULL },
		{ vtr_loader_conf_parse, "timeout 3\n#default x\ndefault  arch.conf\n", "boot_default", "arch.conf" },
		{ vtr_loader_conf_parse, "DEFAULT lts\nLABEL lts\n", "boot_default", "lts" },
		{ vtr_datasource_parse, "DataSourceNoCloud: DataSourceNoCloud [seed=/dev/sr0]\n", "cloud_init",
		  "NoCloud" },
		{ vtr_datasource_parse, "", "cloud_init", NULL },
		{ vtr_cloud_cfg_parse, "# c\ndatasource_list: [ NoCloud, None ]\n", "cloud_init_datasources",
		  "NoCloud, None" },
		{ vtr_cloud_cfg_parse, "datasource_list: ] [\n", "cloud_init_datasources", NULL },
		{ vtr_resolv_parse, "search a\nnameserver 192.0.2.53\nnameserver\nnameserver ::1 x\n", "nameservers",
		  "192.0.2.53 ::1" },
	};

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		struct vtr_os *os = os_new(NULL);

		assert_int_equal(0, cases[i].parse(os, "/f", cases[i].text, strlen(cases[i].text), NULL));
		fact_of(os, cases[i].key, cases[i].value);
		vtr_os_free(os);
	}
}

static void put_le(uint8_t *p, uint64_t v, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* struct utmp of <utmp.h>: 384 bytes, or 400 where a time has 64 bits. 1714979289 is 2024-05-06 07:08:09 UTC. */
static void wtmp_record(uint8_t *p, size_t size, unsigned type, const char *user, const char *line, const char *host,
			uint64_t sec)
{
	memset(p, 0, size);
	put_le(p, type, 2);
	memcpy(p + 8, line, strlen(line));
	memcpy(p + 44, user, strlen(user));
	memcpy(p + 76, host, strlen(host));
	put_le(p + (size == 384 ? 340 : 344), sec, size == 384 ? 4 : 8);
	put_le(p + (size == 384 ? 344 : 352), 5, size == 384 ? 4 : 8);
}

/* Damage, one piece at a time: the last that passes, and the first that does not. */
static const struct damaged {
	vtr_text_fn *parse;
	const char *path, *kind, *text;
	size_t records, damage;
} damaged[] = {
	{ vtr_sudoers_parse, "/etc/sudoers", "sudoers", "@include a\na ALL=ALL", 1, 0 },
	{ vtr_sudoers_parse, "/etc/sudoers", "sudoers", "@include\na ALL=ALL", 1, 1 },
	{ vtr_sudoers_parse, "/etc/sudoers", "sudoers", "@include a\\ b\n", 0, 0 },
	{ vtr_sudoers_parse, "/etc/sudoers", "sudoers", "@include a b\n", 0, 1 },
	{ vtr_sudoers_parse, "/etc/sudoers", "sudoers", "@includedir \"a b\"\n", 0, 0 },
	{ vtr_sudoers_parse, "/etc/sudoers", "sudoers", "@includedir \"a b\n", 0, 1 },
	{ vtr_sudoers_parse, "/etc/sudoers", "sudoers", "@include /etc/sudoers2\n", 0, 0 },
	{ vtr_sudoers_parse, "/etc/sudoers", "sudoers", "@include /etc/sudoers\nb ALL=ALL", 1, 1 },
	{ vtr_ifupdown_parse, "/i", "interfaces", "iface a inet dhcp", 1, 0 },
	{ vtr_ifupdown_parse, "/i", "interfaces", "iface a inet", 0, 1 },
	{ vtr_ifupdown_parse, "/i", "interfaces", "iface a", 0, 1 },
	{ vtr_ifupdown_parse, "/i", "interfaces", "iface", 0, 1 },
	{ vtr_ifupdown_parse, "/i", "interfaces", "iface b inet dhcp\niface a inherits b", 2, 0 },
	{ vtr_ifupdown_parse, "/i", "interfaces", "iface b inet dhcp\niface a inherits c", 0, 1 },
	{ vtr_ifupdown_parse, "/i", "interfaces", "iface a inet dhcp\nup x", 1, 0 },
	{ vtr_ifupdown_parse, "/i", "interfaces", "iface a inet dhcp\nup", 0, 1 },
	{ vtr_ifupdown_parse, "/i", "interfaces", "auto a\nmapping b\nx y", 0, 0 },
	{ vtr_ifupdown_parse, "/i", "interfaces", "auto a\nx y", 0, 1 },
	{ vtr_sysctl_parse, "/s", "sysctl", "a=", 1, 0 },
	{ vtr_sysctl_parse, "/s", "sysctl", "a", 0, 1 },
	{ vtr_sysctl_parse, "/s", "sysctl", "-a", 1, 0 },
	{ vtr_sysctl_parse, "/s", "sysctl", "-", 0, 1 },
	{ vtr_sysctl_parse, "/s", "sysctl", "=a", 0, 1 },
	{ vtr_modprobe_parse, "/m", "module_settings", "options a b", 1, 0 },
	{ vtr_modprobe_parse, "/m", "module_settings", "options a", 0, 1 },
	{ vtr_modprobe_parse, "/m", "module_settings", "blacklist a", 1, 0 },
	{ vtr_modprobe_parse, "/m", "module_settings", "blacklist", 0, 1 },
	{ vtr_modprobe_parse, "/m", "module_settings", "blacklists a", 0, 1 },
	{ vtr_environment_parse, "/e", "environment", "A=", 1, 0 },
	{ vtr_environment_parse, "/e", "environment", "A", 0, 1 },
	{ vtr_environment_parse, "/e", "environment", "A-=1", 0, 1 },
	{ vtr_environment_parse, "/e", "environment", "=1", 0, 1 },
	{ vtr_netplan_parse, "/n", "interfaces", "network: {ethernets: {a: &x {dhcp4: true}, b: *x}}", 2, 0 },
	{ vtr_netplan_parse, "/n", "interfaces", "network: {ethernets: {a: &x {dhcp4: true}, b: *y}}", 1, 1 },
	{ vtr_networkd_parse, "/n.netdev", "interfaces", "[NetDev]\nName=a", 1, 0 },
	{ vtr_networkd_parse, "/n.netdev", "interfaces", "[NetDev\nName=a", 0, 1 },
	{ vtr_ostree_origin_parse, "/o", "users", "[origin]\nrefspec=a", 0, 0 },
	{ vtr_ostree_origin_parse, "/o", "users", "[origin]\nrefspec", 0, 1 },
	{ vtr_nmconf_parse, "/n", "users", "[keyfile]\nunmanaged-devices=a", 0, 0 },
	{ vtr_nmconf_parse, "/n", "users", "[keyfile\nunmanaged-devices=a", 0, 1 },
	/* Nothing in these is damage: what is no setting is passed over. */
	{ vtr_boot_entry_parse, "/b", "users", "title\nx y\n\n", 0, 0 },
	{ vtr_modeenv_parse, "/b", "users", "base\n=\nx=y", 0, 0 },
	{ vtr_properties_parse, "/b", "users", "ro.build.id\n=\n", 0, 0 },
};

static void damage_costs_what_it_is_in(void **state)
{
	(void)state;
	for (size_t i = 0; i < VTR_COUNT(damaged); i++) {
		const struct damaged *d = &damaged[i];
		struct vtr_os *os = os_new(NULL);
		size_t n = 0;

		assert_int_equal(0, d->parse(os, d->path, d->text, strlen(d->text), NULL));
		while (vtr_os_record(os, d->kind, n))
			n++;
		if (n != d->records || vtr_ctx_damage(os->ctx) != d->damage)
			fail_msg("\"%s\": %zu records, damage %" PRIu64, d->text, n, (uint64_t)vtr_ctx_damage(os->ctx));
		vtr_os_free(os);
	}
}

static void wtmp_is_read_in_both_sizes(void **state)
{
	static const size_t sizes[] = { 384, 400 };

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(sizes); i++) {
		const size_t size = sizes[i];
		struct vtr_os *os = os_new(NULL);
		uint8_t all[5 * 400];
		char got[512];

		wtmp_record(all, size, 2, "reboot", "~", "6.1.0", 1714979289);
		wtmp_record(all + size, size, 1, "runlevel", "~", "6.1.0", 1714979290);
		wtmp_record(all + 2 * size, size, 7, "alice", "pts/0", "192.0.2.1", 1714979300);
		wtmp_record(all + 3 * size, size, 8, "", "pts/0", "", 1714979310);
		wtmp_record(all + 4 * size, size, 1, "shutdown", "~", "6.1.0", 1714979320);
		assert_int_equal(0, vtr_wtmp_parse(os, "/var/log/wtmp", (const char *)all, 5 * size, NULL));
		fact_of(os, "last_boot", "2024-05-06T07:08:09.000005000Z");
		record_text(got, sizeof(got), vtr_os_record(os, "logins", 0));
		assert_string_equal("type=boot time=2024-05-06T07:08:09.000005000Z kernel=6.1.0", got);
		record_text(got, sizeof(got), vtr_os_record(os, "logins", 1));
		assert_string_equal(
			"type=login time=2024-05-06T07:08:20.000005000Z user=alice terminal=pts/0 host=192.0.2.1", got);
		record_text(got, sizeof(got), vtr_os_record(os, "logins", 2));
		assert_string_equal("type=shutdown time=2024-05-06T07:08:40.000005000Z kernel=6.1.0", got);
		assert_null(vtr_os_record(os, "logins", 3));
		vtr_os_free(os);
		/* A type that there is not costs its own record; so does an end that was cut. */
		os = os_new(NULL);
		put_le(all, 10, 2);
		assert_int_equal(0, vtr_wtmp_parse(os, "/var/log/wtmp", (const char *)all, 5 * size - 1, NULL));
		record_text(got, sizeof(got), vtr_os_record(os, "logins", 0));
		assert_string_equal(
			"type=login time=2024-05-06T07:08:20.000005000Z user=alice terminal=pts/0 host=192.0.2.1", got);
		assert_null(vtr_os_record(os, "logins", 1));
		assert_int_equal(2, vtr_ctx_damage(os->ctx));
		vtr_os_free(os);
		os = os_new(NULL); /* nothing but a torn record */
		assert_int_equal(0, vtr_wtmp_parse(os, "/var/log/wtmp", (const char *)all, 383, NULL));
		assert_int_equal(1, vtr_ctx_damage(os->ctx));
		vtr_os_free(os);
	}
}

/*
 * shadow(5) and crypt(5): "If the password field contains some string that is not a valid result of crypt(3), the user
 * will not be able to use a unix password to log in"; the hashes are those of crypt(3) of libxcrypt 4.4.33 for "secret".
 */
static void only_an_empty_field_is_no_password(void **state)
{
	static const struct {
		const char *field, *locked, *has;
	} cases[] = {
		{ "", "false", "false" },
		{ "x", "true", "false" },
		{ "NP", "true", "false" },
		{ "*NP*", "true", "false" },
		{ "LK", "true", "false" },
		{ "*", "true", "false" },
		{ "!", "true", "false" },
		{ "!!", "true", "false" },
		{ "!*", "true", "false" },
		{ "*LOCKED*", "true", "false" },
		{ "nologin-account", "true", "false" },
		{ "ab0123456789", "true", "false" },			   /* 12 of DES's 13 */
		{ "abNANd1rDfiNc", "false", "true" },			   /* DES */
		{ "!abNANd1rDfiNc", "true", "true" },			   /* passwd -l */
		{ "_J9..rasmz0.F/jqjWck", "false", "true" },		   /* BSDi */
		{ "$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1", "false", "true" }, /* MD5 */
		{ "$5$a$b c", "true", "false" },
		{ "$$0123456789ab", "true", "false" },
	};

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		static const char passwd[] = "u:x:1:1::/:/bin/sh\n";
		struct vtr_os *os = os_new(NULL);
		char shadow[128];

		/* The first line of a name is the one that counts. */
		snprintf(shadow, sizeof(shadow),
			 "u:%s:::::::\nu:$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1:::::::\nu:x:::::::\n", cases[i].field);
		assert_int_equal(
			0, vtr_passwd_parse(os, "/etc/passwd", passwd, strlen(passwd), shadow, strlen(shadow), NULL));
		assert_string_equal(cases[i].locked, vtr_record_member(vtr_os_record(os, "users", 0), "locked"));
		assert_string_equal(cases[i].has, vtr_record_member(vtr_os_record(os, "users", 0), "has_password"));
		assert_int_equal(0, vtr_ctx_damage(os->ctx));
		vtr_os_free(os);
	}
}

static void a_shadow_that_is_lost_says_nothing(void **state)
{
	static const char passwd[] = "u:x:1:1::/:/bin/sh\nv::2:2::/:/bin/sh\n";
	struct vtr_os *os = os_new(NULL);

	(void)state;
	assert_int_equal(0, vtr_passwd_parse(os, "/etc/passwd", passwd, strlen(passwd), NULL, 0, NULL));
	assert_null(vtr_record_member(vtr_os_record(os, "users", 0), "locked"));
	assert_string_equal("false", vtr_record_member(vtr_os_record(os, "users", 1), "locked"));
	vtr_os_free(os);
}

/* What fgetpwent(3) of glibc 2.36 makes of these lines; it takes the empty name of the third, too. */
static void malformed_lines_are_skipped_and_reported(void **state)
{
	static const char passwd[] = "a:x:1:1:g:/h:/bin/sh\nb:x:2:2\n:x:1:1:::\nc:x:3\nd:x:x:1:::\n  e:x:5:5:::\n"
				     "f:x:6:6:g:/h:/bin/sh:more\ng:x::7:::\nh:x:8:8x:::\n+nis:x:1:1:::\n#c:x:1:1:::\n"
				     "i:x:4294967296:1:::\nj:x:-1:1:::\nk\nl:x:12:12:g:/h\n";
	static const char *const users[][3] = {
		{ "a", "1", "/bin/sh" },      { "b", "2", "/bin/sh" },	{ "e", "5", "/bin/sh" },
		{ "f", "6", "/bin/sh:more" }, { "l", "12", "/bin/sh" },
	};
	static const char group[] = "a:x:1:u,v\nb:x:2\nc:x\n\n:x:1:\nd:x:y:\n";
	struct vtr_os *os = os_new(NULL);

	(void)state;
	assert_int_equal(0, vtr_passwd_parse(os, "/etc/passwd", passwd, strlen(passwd), "", 0, NULL));
	for (size_t i = 0; i < VTR_COUNT(users); i++) {
		const struct vtr_record *r = vtr_os_record(os, "users", i);

		assert_non_null(r);
		assert_string_equal(users[i][0], vtr_record_member(r, "name"));
		assert_string_equal(users[i][1], vtr_record_member(r, "uid"));
		assert_string_equal(users[i][2], vtr_record_member(r, "shell"));
	}
	assert_null(vtr_os_record(os, "users", VTR_COUNT(users)));
	assert_int_equal(8, vtr_ctx_damage(os->ctx));
	assert_int_equal(0, vtr_group_parse(os, "/etc/group", group, strlen(group), NULL));
	assert_string_equal("b", vtr_record_member(vtr_os_record(os, "groups", 1), "name"));
	assert_null(vtr_os_record(os, "groups", 2));
	assert_int_equal(11, vtr_ctx_damage(os->ctx));
	vtr_os_free(os);
}

static void a_journal_tells_the_boot(void **state)
{
	struct vtr_os *os = os_new(NULL);
	uint8_t head[208] = "LPKSHHRH";

	(void)state;
	put_le(head + 192, 1714979299u * UINT64_C(1000000), 8);
	put_le(head + 200, 10000000, 8);
	assert_int_equal(0, vtr_journal_parse(os, "/j", (const char *)head, sizeof(head) - 1, NULL));
	fact_of(os, "last_boot", NULL);
	assert_int_equal(0, vtr_journal_parse(os, "/j", (const char *)head, sizeof(head), NULL));
	fact_of(os, "last_boot", "2024-05-06T07:08:09.000000000Z");
	fact_of(os, "last_activity", "2024-05-06T07:08:19.000000000Z");
	vtr_os_free(os);
	os = os_new(NULL);
	put_le(head + 200, UINT64_MAX, 8); /* up for longer than time is */
	assert_int_equal(0, vtr_journal_parse(os, "/j", (const char *)head, sizeof(head), NULL));
	fact_of(os, "last_boot", NULL);
	vtr_os_free(os);
}

/* Linux's Documentation/arch/x86/boot.rst, arm64/booting.rst, riscv/boot-image-header.rst. */
static void kernels_are_known_by_their_heads(void **state)
{
	uint8_t p[1024] = { 0 };
	uint64_t at;

	(void)state;
	assert_null(vtr_kernel_arch(p, sizeof(p), &at));
	memcpy(p + 0x202, "HdrS", 4);
	put_le(p + 0x206, 0x20b, 2);
	put_le(p + 0x20e, 0x1234, 2);
	assert_null(vtr_kernel_arch(p, sizeof(p), &at)); /* it does not say yet */
	assert_int_equal(0x1434, at);
	put_le(p + 0x206, 0x20c, 2);
	assert_string_equal("i386", vtr_kernel_arch(p, sizeof(p), &at));
	p[0x236] = 1;
	assert_string_equal("x86_64", vtr_kernel_arch(p, sizeof(p), &at));
	assert_null(vtr_kernel_arch(p, 0x237, &at));
	memset(p, 0, sizeof(p));
	memcpy(p + 56, "ARM\x64", 4);
	assert_string_equal("aarch64", vtr_kernel_arch(p, sizeof(p), &at));
	memcpy(p + 56, "RSC\x05", 4);
	assert_string_equal("riscv64", vtr_kernel_arch(p, sizeof(p), &at));
	assert_null(vtr_kernel_arch(p, 59, &at));
}

static int count_setting(void *arg, const struct vtr_setting *s, struct vtr_error *err)
{
	size_t *longest = arg;

	(void)err;
	*longest = VTR_MAX(*longest, s->value.len);
	return 0;
}

/* systemd's LONG_LINE_MAX, 1 MiB: what continued lines make may be as long, a single line must be shorter. */
static void systemd_refuses_long_lines(void **state)
{
	static const struct {
		size_t first, second; /* bytes of two lines, without what ends them */
		size_t refused;	      /* the line */
	} cases[] = {
		{ 1048575, 0, 0 },
		{ 1048576, 0, 2 },
		{ 1048570, 6, 0 },
		{ 1048570, 7, 3 },
	};

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		size_t at = 4, refused, longest = 0, want = cases[i].first + cases[i].second - 2;
		char *text = malloc(cases[i].first + cases[i].second + 16);
		struct vtr_error err = { 0 };

		assert_non_null(text);
		memcpy(text, "[S]\nA=", 6);
		memset(text + 6, 'x', cases[i].first - 2);
		at += cases[i].first;
		if (cases[i].second > 0)
			text[at - 1] = '\\';
		text[at++] = '\n';
		memset(text + at, 'y', cases[i].second);
		at += cases[i].second;
		assert_int_equal(0, vtr_settings(&refused, text, at, VTR_INI_SYSTEMD, count_setting, &longest, &err));
		assert_int_equal(cases[i].refused, refused);
		assert_int_equal(cases[i].refused ? 0 : want, longest);
		free(text);
	}
}

static void limits_are_kept(void **state)
{
	static const char two[] = "a:x:1:\nb:x:2:\n", wide[] = "aaaaaaaaaaaaaaaaaaaa:x:1:b\n";
	struct vtr_limits lim;
	struct vtr_error err = { 0 };
	struct vtr_os *os;
	char *many = malloc(120000);

	(void)state;
	vtr_limits_default(&lim);
	lim.records = 1;
	os = os_new(&lim);
	assert_int_equal(-1, vtr_group_parse(os, "/etc/group", two, strlen(two), &err));
	assert_int_equal(VTR_ELIMIT, err.code);
	assert_non_null(strstr(err.text, "limit records=1"));
	assert_non_null(vtr_os_record(os, "groups", 0)); /* what was read stays */
	assert_null(vtr_os_record(os, "groups", 1));
	vtr_os_free(os);
	/* A value that is too long is left out, and the record stays. */
	lim.line = 10;
	os = os_new(&lim);
	assert_int_equal(0, vtr_group_parse(os, "/etc/group", wide, strlen(wide), &err));
	assert_null(vtr_record_member(vtr_os_record(os, "groups", 0), "name"));
	assert_string_equal("1", vtr_record_member(vtr_os_record(os, "groups", 0), "gid"));
	vtr_os_free(os);
	/* Memory is charged, and given back. */
	vtr_limits_default(&lim);
	lim.metadata = 1 << 20;
	os = os_new(&lim);
	assert_non_null(many);
	for (size_t i = 0; i < 20000; i++)
		memcpy(many + 6 * i, "a:x:1\n", 6);
	assert_int_equal(-1, vtr_group_parse(os, "/etc/group", many, 120000, &err));
	assert_int_equal(VTR_ELIMIT, err.code);
	assert_non_null(strstr(err.text, "metadata"));
	vtr_os_free(os);
	free(many);
}

/* ---------------------------------------------------------------------------------------------------- a whole tree */

static const char tree_commands[] =
	"mkdir -p etc/systemd/system/multi-user.target.wants etc/systemd/system/timers.target.wants etc/rc2.d bin\n"
	"mkdir -p usr/lib/systemd/system etc/ssh/sshd_config.d etc/sudoers.d etc/cron.d etc/cron.daily home/alice/.ssh\n"
	"mkdir -p boot/grub/i386-pc boot/grub/x86_64-efi var/log etc/network/interfaces.d var/spool/cron/crontabs\n"
	"mkdir -p usr/lib/modules/6.1.0-18-amd64 var/lib/snapd/snaps snap/core22 var/lib/flatpak/app/org.x/x86_64/stable\n"
	"printf 'ID=debian\\nVERSION_ID=12\\nBUILD_ID=7\\n' > etc/os-release\n"
	"printf 'root:x:0:0:root:/root:/bin/bash\\nalice:x:1000:1000::/home/alice:/bin/sh\\n' > etc/passwd\n"
	"printf '# k\\nssh-rsa A\\n\\nssh-rsa B\\n' > home/alice/.ssh/authorized_keys\n"
	"printf '@includedir /etc/sudoers.d\\nroot ALL=ALL\\n' > etc/sudoers\n"
	"echo 'alice ALL=NOPASSWD: ALL' > etc/sudoers.d/alice; echo 'no ALL=ALL' > etc/sudoers.d/x.bak\n"
	"printf '[Unit]\\nDescription=A server\\n[Service]\\nExecStart=/bin/a \\\\\\n  -b\\nUser=web\\n' > usr/lib/systemd/system/web.service\n"
	"printf '[Service]\\nExecStart=/bin/getty %%i\\n' > usr/lib/systemd/system/getty@.service\n"
	"printf '[Unit]\\nDescription=T\\n[Timer]\\nOnBootSec=15min\\nOnCalendar=daily\\n' > usr/lib/systemd/system/clean.timer\n"
	"cd etc/systemd/system; W=multi-user.target.wants; U=/usr/lib/systemd/system\n"
	"ln -s $U/web.service $W/web.service; ln -s $U/getty@.service $W/getty@tty1.service; ln -s $U/web.service www.service\n"
	"ln -s $U/clean.timer timers.target.wants/clean.timer; ln -s /dev/null bad.service; ln -s $U/x.target default.target\n"
	"ln -s $U/gone.service $W/gone.service; cd ../../..\n"
	"ln -s ../init.d/web etc/rc2.d/S01web; ln -s ../init.d/old etc/rc2.d/S02old; ln -s ../init.d/k etc/rc2.d/K01k\n"
	"ln -s /usr/lib/systemd/systemd bin/init; mkdir sbin; ln -s /usr/lib/systemd/systemd sbin/init\n"
	"echo '5 4 * * * bob x' > etc/cron.d/bob; echo '@daily y' > var/spool/cron/crontabs/alice\n"
	"touch etc/cron.daily/run etc/cron.daily/not; chmod 755 etc/cron.daily/run\n"
	"printf 'source /etc/network/interfaces.d/*\\niface lo inet loopback\\n' > etc/network/interfaces\n"
	"printf 'iface eth0 inet dhcp\\n' > etc/network/interfaces.d/eth0\n"
	"printf 'passwd: files systemd\\ngroup: files systemd\\n' >etc/nsswitch.conf; mkdir etc/userdb; cd etc/userdb\n"
	"echo '{\"userName\":\"bob\",\"uid\":2000,\"realName\":\"B\\u00e9 \\\"q\\\" \\ud83d\\ude00\\/\\ud83d\",' >bob.user\n"
	"echo '\"passwordChangeNow\":true}' >>bob.user; touch bob:g.membership a:other.membership a/b:g.membership 2>/dev/null || :\n"
	"echo '{\"groupName\":\"g\",\"gid\":2001,\"members\":[\"a\\u002Fb\"]}' >g.group; cd ../..\n"
	"N=NetworkManager/system-connections; mkdir -p etc/$N usr/lib/$N\n"
	"C='[connection]\\nid=%s\\nuuid=0\\n[ipv4]\\nmethod=%s\\n'\n"
	"printf \"$C\" z auto >usr/lib/$N/a.nmconnection; printf \"$C\" a manual >etc/$N/b.nmconnection\n"
	"printf \"$C\" old auto >etc/$N/c; touch -d 2020-01-01 etc/$N/c; printf \"$C\" x auto >etc/$N/d~\n"
	"printf 'Include /etc/ssh/sshd_config.d/*.conf\\nPort 22\\n' > etc/ssh/sshd_config\n"
	"echo 'PermitRootLogin no' > etc/ssh/sshd_config.d/a.conf; echo 'Port 1' > etc/ssh/sshd_config.d/b.off\n"
	"echo k > boot/vmlinuz-6.1.0-18-amd64; echo i > boot/initrd.img-6.1.0-18-amd64; ln -s vmlinuz-6.1.0-18-amd64 boot/vmlinuz\n"
	"printf 'set default=\"${saved_entry}\"\\n' > boot/grub/grub.cfg; printf '# GRUB\\nsaved_entry=gnulinux\\n#####' > boot/grub/grubenv\n"
	"touch var/lib/snapd/snaps/core22_1.snap var/lib/snapd/snaps/core22_2.snap; ln -s 2 snap/core22/current\n"
	"touch .dockerenv\n";

static const struct {
	const char *kind, *path, *text;
} tree_records[] = {
	{ "users", "/etc/passwd",
	  "name=root uid=0 gid=0 gecos=root home=/root shell=/bin/bash locked=true has_password=false authorized_keys=0" },
	{ "users", "/etc/passwd",
	  "name=alice uid=1000 gid=1000 home=/home/alice shell=/bin/sh locked=true has_password=false authorized_keys=2" },
	{ "users", "/etc/userdb/bob.user",
	  "name=bob uid=2000 gid=2000 gecos=B\xc3\xa9 \"q\" \xf0\x9f\x98\x80/\xef\xbf\xbd locked=true has_password=false "
	  "must_change=true" },
	{ "groups", "/etc/userdb/g.group", "name=g gid=2001 members=[a/b,bob]" },
	{ "sudoers", "/etc/sudoers.d/alice", "type=rule text=alice ALL=NOPASSWD: ALL who=alice nopasswd=true" },
	{ "sudoers", "/etc/sudoers", "type=rule text=root ALL=ALL who=root nopasswd=false" },
	{ "kernels", "/boot/vmlinuz-6.1.0-18-amd64",
	  "version=6.1.0-18-amd64 path=/boot/vmlinuz-6.1.0-18-amd64 initramfs=/boot/initrd.img-6.1.0-18-amd64 "
	  "modules=/usr/lib/modules/6.1.0-18-amd64" },
	{ "services", "/etc/systemd/system/bad.service",
	  "name=bad.service manager=systemd state=masked preset=enabled" },
	{ "services", "/etc/systemd/system/timers.target.wants/clean.timer",
	  "name=clean.timer manager=systemd state=enabled preset=enabled unit=/usr/lib/systemd/system/clean.timer "
	  "wanted_by=[timers.target] required_by=[] aliases=[] description=T" },
	{ "services", "/etc/systemd/system/default.target",
	  "name=default.target manager=systemd state=bad wanted_by=[] "
	  "required_by=[] aliases=[]" },
	{ "services", "/usr/lib/systemd/system/getty@.service",
	  "name=getty@.service manager=systemd state=indirect preset=enabled unit=/usr/lib/systemd/system/getty@.service "
	  "wanted_by=[] required_by=[] aliases=[] exec=[/bin/getty %i]" },
	{ "services", "/etc/systemd/system/multi-user.target.wants/getty@tty1.service",
	  "name=getty@tty1.service manager=systemd state=enabled preset=enabled "
	  "unit=/usr/lib/systemd/system/getty@.service wanted_by=[multi-user.target] required_by=[] aliases=[] "
	  "exec=[/bin/getty tty1]" },
	{ "services", "/etc/systemd/system/multi-user.target.wants/gone.service",
	  "name=gone.service manager=systemd state=not-found wanted_by=[multi-user.target] required_by=[] aliases=[]" },
	{ "services", "/etc/systemd/system/multi-user.target.wants/web.service",
	  "name=web.service manager=systemd state=enabled preset=enabled unit=/usr/lib/systemd/system/web.service "
	  "wanted_by=[multi-user.target] required_by=[] aliases=[www.service] description=A server exec=[/bin/a -b] "
	  "user=web" },
	{ "services", "/usr/lib/systemd/system/web.service",
	  "name=www.service manager=systemd state=alias "
	  "unit=/usr/lib/systemd/system/web.service alias_of=web.service" },
	{ "services", "/etc/rc2.d/S02old", "name=old manager=sysvinit state=enabled runlevels=[2]" },
	{ "timers", "/usr/lib/systemd/system/clean.timer",
	  "name=clean.timer description=T schedule=[OnBootSec=15min,daily] starts=clean.service persistent=false" },
	{ "cron", "/etc/cron.d/bob", "schedule=5 4 * * * user=bob command=x" },
	{ "cron", "/var/spool/cron/crontabs/alice", "schedule=@daily user=alice command=y" },
	{ "cron", "/etc/cron.daily/run", "schedule=@daily user=root command=/etc/cron.daily/run" },
	{ "interfaces", "/etc/network/interfaces.d/eth0",
	  "name=eth0 manager=ifupdown method=dhcp addresses=[] gateways=[] dns=[]" },
	{ "interfaces", "/etc/network/interfaces",
	  "name=lo manager=ifupdown method=loopback addresses=[] gateways=[] dns=[]" },
	{ "interfaces", "/etc/NetworkManager/system-connections/b.nmconnection",
	  "name=a manager=NetworkManager method=static addresses=[] gateways=[] dns=[]" },
	{ "ssh_settings", "/etc/ssh/sshd_config.d/a.conf", "name=PermitRootLogin value=no" },
	{ "ssh_settings", "/etc/ssh/sshd_config", "name=Port value=22" },
	{ "snaps", "/var/lib/snapd/snaps/core22_1.snap", "name=core22 revision=1 current=false" },
	{ "snaps", "/var/lib/snapd/snaps/core22_2.snap", "name=core22 revision=2 current=true" },
	{ "flatpaks", "/var/lib/flatpak/app/org.x/x86_64/stable", "name=org.x type=app arch=x86_64 branch=stable" },
};

static void shell(const char *commands, const char *dir)
{
	char command[256];
	FILE *sh;

	snprintf(command, sizeof(command), "cd '%s' && PATH=$PATH:/usr/sbin:/sbin sh -e", dir);
	sh = popen(command, "w");
	assert_non_null(sh);
	fputs(commands, sh);
	assert_int_equal(0, pclose(sh));
}

/* The first system of an image, and its guest, which the caller frees. */
static struct vtr_os *image_os(struct vtr_guest **guest, const char *image, const struct vtr_limits *lim)
{
	struct vtr_ctx *ctx = vtr_ctx_new(lim, NULL);
	struct vtr_error err = { 0 };

	*guest = vtr_guest_new(ctx, &err);
	vtr_ctx_unref(ctx);
	if (vtr_guest_add(*guest, image, NULL, &err) < 0 || vtr_guest_scan(*guest, &err) < 0 ||
	    vtr_guest_inspect(*guest, &err) != 1)
		fail_msg("%s", err.text);
	return vtr_guest_os(*guest, 0);
}

static void a_tree_is_read(void **state)
{
	char dir[] = "/tmp/vitrine-facts-XXXXXX", image[64], command[160];
	struct vtr_guest *guest;
	const char *kind = "";
	struct vtr_limits lim;
	struct vtr_os *os;
	size_t n = 0;

	(void)state;
	if (system("PATH=$PATH:/usr/sbin:/sbin; command -v mke2fs >/dev/null") != 0) {
		print_message("SKIPPED: no mke2fs to make filesystems with\n");
		skip();
	}
	assert_non_null(mkdtemp(dir));
	shell("mkdir d; cd d\n", dir);
	snprintf(command, sizeof(command), "%s/d", dir);
	shell(tree_commands, command);
	shell("mke2fs -q -F -t ext4 -O ^has_journal -d d img 8M >/dev/null\n", dir);
	snprintf(image, sizeof(image), "%s/img", dir);
	os = image_os(&guest, image, NULL);
	assert_null(vtr_os_record(os, "users", 0));
	assert_int_equal(0, vtr_os_read_records(os, NULL));
	assert_int_equal(0, vtr_os_read_records(os, NULL)); /* once */
	for (size_t i = 0; i < VTR_COUNT(tree_records); i++) {
		const struct vtr_record *r;
		char got[1024];

		n = strcmp(kind, tree_records[i].kind) == 0 ? n + 1 : 0;
		kind = tree_records[i].kind;
		r = vtr_os_record(os, kind, n);
		if (!r)
			fail_msg("%s: %zu records, expected \"%s\"", kind, n, tree_records[i].text);
		record_text(got, sizeof(got), r);
		assert_string_equal(tree_records[i].text, got);
		assert_string_equal(tree_records[i].path, r->path);
		assert_string_equal("/dev/sda", r->device);
		if (i + 1 == VTR_COUNT(tree_records) || strcmp(kind, tree_records[i + 1].kind) != 0)
			assert_null(vtr_os_record(os, kind, n + 1));
	}
	assert_null(vtr_os_record(os, "no such kind", 0));
	fact_of(os, "default_target", "x.target");
	fact_of(os, "boot_loader", "grub");
	fact_of(os, "firmware", "bios, uefi");
	fact_of(os, "boot_default", "gnulinux");
	fact_of(os, "container", "docker");
	fact_of(os, "osinfo", "debian12");
	fact_of(os, "build_id", "7");
	fact_of(os, "medium", NULL);
	vtr_guest_free(guest);
	/* All the files together may not be larger than 64 of the largest that is allowed. */
	vtr_limits_default(&lim);
	lim.text_file = 10;
	os = image_os(&guest, image, &lim);
	assert_int_equal(0, vtr_os_read_records(os, NULL));
	assert_null(vtr_os_record(os, "users", 0));
	assert_non_null(vtr_os_record(os, "snaps", 0));
	vtr_guest_free(guest);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	assert_int_equal(0, system(command));
}

/* The roots of other systems, as virt-inspector knows them. */
static void other_systems_are_named(void **state)
{
	static const struct {
		const char *commands, *type, *distro, *version, *major, *minor;
	} cases[] = {
		{ "touch etc/freebsd-update.conf; echo 'USERLAND_VERSION=\"13.2-RELEASE-p4\"' > bin/freebsd-version\n",
		  "freebsd", "freebsd", "13.2", "13", "2" },
		{ "touch netbsd; echo 'NetBSD 9.3/amd64' > etc/release\n", "netbsd", "netbsd", "9.3", "9", "3" },
		{ "touch bsd; echo 'OpenBSD 7.4 (GENERIC.MP) #1397' > etc/motd\n", "openbsd", "openbsd", "7.4", "7",
		  "4" },
		{ "mkdir service; touch service/vm; echo 3.3.0 > etc/version\n", "minix", "minix", "3.3.0", "3", "3" },
		{ "mkdir hurd; touch hurd/console hurd/null; printf 'ID=debian\\nVERSION_ID=13\\n' > etc/os-release\n",
		  "hurd", "debian", "13", "13", "0" },
	};
	char dir[] = "/tmp/vitrine-facts-XXXXXX", image[64], command[160];

	(void)state;
	if (system("PATH=$PATH:/usr/sbin:/sbin; command -v mke2fs >/dev/null") != 0) {
		print_message("SKIPPED: no mke2fs to make filesystems with\n");
		skip();
	}
	assert_non_null(mkdtemp(dir));
	snprintf(image, sizeof(image), "%s/img", dir);
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		struct vtr_guest *guest;
		struct vtr_os *os;

		shell("rm -rf d img; mkdir -p d/etc d/bin; touch d/etc/fstab\n", dir);
		snprintf(command, sizeof(command), "%s/d", dir);
		shell(cases[i].commands, command);
		shell("mke2fs -q -F -t ext4 -O ^has_journal -d d img 4M >/dev/null\n", dir);
		os = image_os(&guest, image, NULL);
		fact_of(os, "type", cases[i].type);
		fact_of(os, "distro", cases[i].distro);
		fact_of(os, "version", cases[i].version);
		fact_of(os, "major_version", cases[i].major);
		fact_of(os, "minor_version", cases[i].minor);
		vtr_guest_free(guest);
	}
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	assert_int_equal(0, system(command));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parsers_read_what_the_manuals_say),
		cmocka_unit_test(parsers_tell_facts),
		cmocka_unit_test(only_an_empty_field_is_no_password),
		cmocka_unit_test(a_shadow_that_is_lost_says_nothing),
		cmocka_unit_test(malformed_lines_are_skipped_and_reported),
		cmocka_unit_test(damage_costs_what_it_is_in),
		cmocka_unit_test(wtmp_is_read_in_both_sizes),
		cmocka_unit_test(a_journal_tells_the_boot),
		cmocka_unit_test(kernels_are_known_by_their_heads),
		cmocka_unit_test(systemd_refuses_long_lines),
		cmocka_unit_test(limits_are_kept),
		cmocka_unit_test(a_tree_is_read),
		cmocka_unit_test(other_systems_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
