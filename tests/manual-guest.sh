# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by the tests of the documentation: makes the images that the manual pages' examples name, without root.
# shellcheck shell=bash

# Leave, as skipped, when one of these programs is missing.
need()
{
	local tool
	for tool; do
		if ! PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null; then
			echo "skipped: $tool is not installed"
			exit 77
		fi
	done
}

# The files of a small system below $1: those that inspection looks at, and no more.
manual_tree()
{
	local root=$1 arch=$2
	mkdir -p "$root"/{boot,etc,usr/{bin,sbin,lib/systemd},var/lib/dpkg,home,root,tmp}
	ln -s usr/bin "$root/bin"
	ln -s usr/sbin "$root/sbin"
	ln -s usr/lib "$root/lib"
	ln -s ../usr/lib/os-release "$root/etc/os-release"
	ln -s /usr/share/zoneinfo/Europe/Rome "$root/etc/localtime"
	ln -s /usr/lib/systemd/systemd "$root/usr/sbin/init"
	# An ELF header is all that tells the architecture: class, byte order, and the machine at byte 18.
	printf '\177ELF\002\001\001\0\0\0\0\0\0\0\0\0\003\0%b\001\0\0\0%0200d' "$arch" 0 >"$root/usr/bin/bash"
	cp "$root/usr/bin/bash" "$root/usr/lib/systemd/systemd"
	chmod 755 "$root/usr/bin/bash" "$root/usr/lib/systemd/systemd"
	cat >"$root/usr/lib/os-release" <<-'END'
		PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
		NAME="Debian GNU/Linux"
		VERSION_ID="12"
		VERSION="12 (bookworm)"
		VERSION_CODENAME=bookworm
		ID=debian
	END
	echo 12.5 >"$root/etc/debian_version"
	echo www >"$root/etc/hostname"
	mkdir -p "$root/var/log"
	cat >"$root/var/log/syslog" <<-'END'
		May  6 07:00:01 www kernel: [    0.000000] Linux version 6.1.0-18-amd64
		May  6 07:00:03 www cron[412]: (CRON) INFO (Running @reboot jobs)
		May  6 07:05:44 www sshd[533]: Accepted publickey for root from 192.0.2.7 port 50022
	END
	echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
	echo 'root:$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1:0:0:root:/root:/bin/bash' >"$root/etc/passwd"
	cat >"$root/etc/fstab" <<-'END'
		UUID=5a170000-0000-4000-8000-000000000002 / ext4 errors=remount-ro 0 1
		UUID=5a170000-0000-4000-8000-000000000001 /boot ext4 defaults 0 2
		UUID=5a170000-0000-4000-8000-00000000000f /srv xfs defaults 0 2
	END
	cat >"$root/var/lib/dpkg/status" <<-'END'
		Package: base-files
		Status: install ok installed
		Installed-Size: 341
		Architecture: amd64
		Version: 12.4+deb12u5
		Description: Debian base system miscellaneous files

		Package: libc6
		Status: install ok installed
		Installed-Size: 12985
		Architecture: amd64
		Source: glibc
		Version: 2.36-9+deb12u4
		Description: GNU C Library: Shared libraries

		Package: perl-base
		Status: install ok installed
		Architecture: amd64
		Source: perl (5.36.0-7)
		Version: 5.36.0-7+deb12u1
		Description: minimal Perl system
	END
}

# mkfs IMAGE SIZE TREE LABEL UUID: an ext4 that belongs to root, whoever makes it, with known times.
manual_ext4()
{
	local image=$1 size=$2 tree=$3 label=$4 uuid=$5
	find "$tree" -exec touch -h -d '2024-05-06 07:08:09 UTC' {} +
	truncate -s "$size" "$image"
	mke2fs -q -F -t ext4 -b 4096 -O ^has_journal -L "$label" -U "$uuid" -d "$tree" "$image"
	(
		cd "$tree" || exit
		find . -mindepth 1 -print | while IFS= read -r path; do
			printf 'sif "%s" uid 0\nsif "%s" gid 0\n' "$path" "$path"
		done
	) >"$image.cmd"
	debugfs -w -f "$image.cmd" "$image" >/dev/null 2>&1
	rm "$image.cmd"
}

# guest.qcow2, snap.qcow2, overlay.qcow2 and upgraded.qcow2 in the current folder.
manual_guest()
{
	PATH=$PATH:/usr/sbin:/sbin
	mkdir tree boot
	manual_tree tree '\076\0'
	echo 'a kernel' >boot/vmlinuz-6.1.0-18-amd64
	ln -s vmlinuz-6.1.0-18-amd64 boot/vmlinuz
	manual_ext4 boot.fs 4M boot boot 5a170000-0000-4000-8000-000000000001
	manual_ext4 root.fs 16M tree root 5a170000-0000-4000-8000-000000000002
	debugfs -w -R 'ea_set /etc/hostname user.origin installer' root.fs 2>/dev/null
	for field in ctime atime crtime; do
		debugfs -w -R "sif /etc/hostname $field 20240506070809" root.fs 2>/dev/null
		debugfs -w -R "sif /etc/hostname ${field}_extra 0" root.fs >/dev/null 2>&1
	done
	truncate -s 22M disk.img
	sfdisk -q disk.img <<-'END'
		label: gpt
		label-id: 5A170000-0000-4000-8000-0000000000D0
		start=2048, size=8192, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=5A170000-0000-4000-8000-0000000000D1, name="boot"
		start=10240, size=32768, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid=5A170000-0000-4000-8000-0000000000D2, name="root"
	END
	dd if=boot.fs of=disk.img bs=1M seek=1 conv=notrunc status=none
	dd if=root.fs of=disk.img bs=1M seek=5 conv=notrunc status=none
	qemu-img convert -f raw -O qcow2 disk.img guest.qcow2
	qemu-img create -q -f qcow2 -b guest.qcow2 -F qcow2 overlay.qcow2
	cp guest.qcow2 snap.qcow2
	qemu-img snapshot -c before-upgrade snap.qcow2
	sed 's/deb12u4/deb12u10/' tree/var/lib/dpkg/status >status
	echo mail >hostname
	for file in etc/hostname var/lib/dpkg/status; do
		printf 'rm %s\nwrite %s %s\n' "$file" "${file##*/}" "$file"
	done | debugfs -w -f - root.fs >/dev/null 2>&1
	dd if=root.fs of=disk.img bs=1M seek=5 conv=notrunc status=none
	qemu-img convert -f raw -O qcow2 disk.img upgraded.qcow2
	rm -r tree boot boot.fs root.fs disk.img hostname status
}

# grown FILE SIZE BYTES: zeros up to the size, and then these.
grown()
{
	truncate -s "$2" "$1"
	printf '%b' "$3" >>"$1"
}

# What the members of records need, below $1, beside manual_tree's: one of everything.
manual_records()
{
	local root=$1
	mkdir -p "$root"/etc/{systemd/{system/multi-user.target.{wants,requires},system/timers.target.wants,network},rc2.d,cron.d} \
		"$root"/{home/alice/.ssh,var/log,boot,usr/lib/{systemd/system,modules/6.1.0-18-amd64}}
	printf '%s\n' 'alice:x:1000:1000:Alice:/home/alice:/bin/bash' 'bob:x:1001:1001::/home/bob:/bin/sh' >>"$root/etc/passwd"
	# shellcheck disable=SC2016 # no variables: a hash
	printf '%s\n' 'root:*:19849:0:99999:7:::' 'alice:$y$j9T$abcdefghijkl$mnop:19849:0:99999:7::20454:' 'bob:*:0:::::' >"$root/etc/shadow"
	printf '%s\n' 'root:x:0:' 'sudo:x:27:alice' >"$root/etc/group"
	echo 'ssh-ed25519 AAAA alice@laptop' >"$root/home/alice/.ssh/authorized_keys"
	mkdir -p "$root/etc/sysctl.d" "$root/etc/modprobe.d"
	echo '-net.ipv4.ip_forward = 1' >"$root/etc/sysctl.d/10-forward.conf"
	echo 'options snd-hda power_save=1' >"$root/etc/modprobe.d/sound.conf"
	echo 'LANG="C.UTF-8"' >"$root/etc/environment"
	printf '%s\n' 'Defaults env_reset' 'root ALL=(ALL:ALL) ALL' '%sudo ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers"
	# struct lastlog of users 0 to 1000: 292 bytes each, the last of 2024-05-06 07:08:09 UTC from 192.0.2.1.
	grown "$root/var/log/lastlog" $((292 * 1000)) '\xd9\x81\x38\x66pts/0'
	grown "$root/var/log/lastlog" $((292 * 1000 + 36)) '192.0.2.1'
	truncate -s $((292 * 1001)) "$root/var/log/lastlog"
	cat >"$root/usr/lib/systemd/system/web.service" <<-'END'
		[Unit]
		Description=A server of pages
		[Service]
		User=www-data
		ExecStart=/usr/bin/web --port 80
	END
	cat >"$root/usr/lib/systemd/system/backup.timer" <<-'END'
		[Unit]
		Description=Every night
		[Timer]
		OnCalendar=daily
		Persistent=true
	END
	ln -s /usr/lib/systemd/system/web.service "$root/etc/systemd/system/multi-user.target.wants/"
	ln -s /usr/lib/systemd/system/backup.timer "$root/etc/systemd/system/timers.target.wants/"
	ln -s /usr/lib/systemd/system/web.service "$root/etc/systemd/system/multi-user.target.requires/"
	ln -s /usr/lib/systemd/system/web.service "$root/etc/systemd/system/www.service"
	ln -s /usr/lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
	mkdir "$root"/etc/systemd/system/{web.service.d,multi-user.target.upholds}
	printf '[Service]\nUser=www-data\n' >"$root/etc/systemd/system/web.service.d/user.conf"
	ln -s /usr/lib/systemd/system/web.service "$root/etc/systemd/system/multi-user.target.upholds/"
	printf '[Socket]\nListenStream=/run/web\n' >"$root/usr/lib/systemd/system/web.socket"
	echo 'data UUID=0f3f0e53-2a7e-4b6f-9b66-0d1f1f0a0001 /etc/data.key luks,discard' >"$root/etc/crypttab"
	ln -s ../init.d/old "$root/etc/rc2.d/S20old"
	echo '17 * * * * root /usr/bin/backup' >"$root/etc/cron.d/backup"
	mkdir -p "$root/etc/NetworkManager/conf.d"
	printf '%s\n' '[keyfile]' 'unmanaged-devices=interface-name:veth*' >"$root/etc/NetworkManager/conf.d/a.conf"
	printf '%s\n' '[Match]' 'Architecture=x86-64' '[NetDev]' 'Name=br0' 'Kind=bridge' >"$root/etc/systemd/network/br0.netdev"
	cat >"$root/etc/systemd/network/lan.network" <<-'END'
		[Match]
		Name=eth0
		MACAddress=52:54:00:12:34:56
		[Network]
		DHCP=ipv6
		Address=192.0.2.7/24
		Gateway=192.0.2.1
		DNS=192.0.2.53
	END
	echo 'nameserver 192.0.2.53' >"$root/etc/resolv.conf"
	mkdir -p "$root"/etc/{ssh,selinux,default,apt,apparmor.d,cloud/cloud.cfg.d} "$root/boot/grub/i386-pc" "$root/.disk" \
		"$root"/var/lib/{cloud/instance,docker/image/overlay2,containers/storage/overlay-images,snapd/snaps} \
		"$root/var/lib/flatpak/app/org.example.Draw/x86_64/stable" "$root/var/log/journal/0123456789abcdef0123456789abcdef"
	echo 'LANG=it_IT.UTF-8' >"$root/etc/locale.conf"
	echo 'XKBLAYOUT="it"' >"$root/etc/default/keyboard"
	printf 'SELINUX=permissive\nSELINUXTYPE=targeted\n' >"$root/etc/selinux/config"
	touch "$root/usr/sbin/apparmor_parser" "$root/.dockerenv" "$root/.disk/base_installable"
	echo 'DataSourceNoCloud: DataSourceNoCloud' >"$root/var/lib/cloud/instance/datasource"
	echo 'datasource_list: [ NoCloud, None ]' >"$root/etc/cloud/cloud.cfg.d/90_dpkg.cfg"
	printf 'set default="${next_entry}"\nset default="0"\nmenuentry "Debian GNU/Linux" --id simple {\n}\n' >"$root/boot/grub/grub.cfg"
	printf '# GRUB Environment Block\nnext_entry=simple\n' >"$root/boot/grub/grubenv"
	echo 'PermitRootLogin no' >"$root/etc/ssh/sshd_config"
	printf 'Match User alice\n\tX11Forwarding yes\n' >>"$root/etc/ssh/sshd_config"
	echo 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCg root@www' \
		>"$root/etc/ssh/ssh_host_ed25519_key.pub"
	echo 'deb https://user:secret@deb.example/debian bookworm main' >"$root/etc/apt/sources.list"
	mkdir -p "$root/etc/yum.repos.d"
	printf '[extra]\nbaseurl=https://example/extra\nenabled=0\n' >"$root/etc/yum.repos.d/extra.repo"
	echo '{"Repositories":{"alpine":{"alpine:3.19":"sha256:0123"}}}' \
		>"$root/var/lib/docker/image/overlay2/repositories.json"
	echo '[{"id":"4567","digest":"sha256:89ab","names":["docker.io/library/alpine:3.19"],"created":"2024-05-06T07:08:09Z"}]' \
		>"$root/var/lib/containers/storage/overlay-images/images.json"
	touch "$root/var/lib/snapd/snaps/core22_1380.snap"
	# struct utmp, 384 bytes each: a boot, and a login on pts/0 from 192.0.2.1.
	grown "$root/var/log/wtmp" 0 '\x02'
	grown "$root/var/log/wtmp" 44 'reboot'
	grown "$root/var/log/wtmp" 76 '6.1.0-18-amd64'
	grown "$root/var/log/wtmp" 340 '\xd9\x81\x38\x66'
	grown "$root/var/log/wtmp" 384 '\x07'
	grown "$root/var/log/wtmp" $((384 + 8)) 'pts/0'
	grown "$root/var/log/wtmp" $((384 + 44)) 'alice'
	grown "$root/var/log/wtmp" $((384 + 76)) '192.0.2.1'
	grown "$root/var/log/wtmp" $((384 + 340)) '\xda\x81\x38\x66'
	truncate -s $((2 * 384)) "$root/var/log/wtmp"
	# The header of a journal: the last entry at 1714979300 s, 10 s after the boot.
	grown "$root/var/log/journal/0123456789abcdef0123456789abcdef/system.journal" 0 LPKSHHRH
	grown "$root/var/log/journal/0123456789abcdef0123456789abcdef/system.journal" 192 \
		'\x00\x41\xf9\xbb\xc3\x17\x06\x00\x80\x96\x98\x00\x00\x00\x00\x00'
	echo 'an initramfs' >"$root/boot/initrd.img-6.1.0-18-amd64"
	# The start of an x86 kernel: HdrS, protocol 2.12, and a 64-bit entry.
	grown "$root/boot/vmlinuz-6.1.0-18-amd64" $((0x202)) 'HdrS\014\002'
	grown "$root/boot/vmlinuz-6.1.0-18-amd64" $((0x236)) '\001'
	truncate -s 4096 "$root/boot/vmlinuz-6.1.0-18-amd64"
}
