#!/bin/sh
# Runs while an image is built (Dockerfile, stage `pruned`): leaves of a Debian with Python what running Python needs, with byte
# code for the whole standard library, since a read-only file system cannot get it later.
# Works on Docker's python:*-slim (Python in /usr/local) and on a minimal Debian (Python in /usr).
set -eu

# Package management, users and their passwords, file systems, Perl, bash (dash is /bin/sh), and what only those needed. dpkg's own
# records stay truthful, so that a scanner sees what is here and nothing else.
packages=$(dpkg-query -Wf '${db:Status-Abbrev}${Package}\n' \
  adduser apt bash 'debconf*' debian-archive-keyring e2fsprogs 'gpgv*' 'libapt-pkg*' libdb5.3* 'libext2fs2*' 'libgcrypt20*' \
  'libgmp10*' 'libgnutls30*' 'libgpg-error0*' 'libhogweed6*' 'libidn2-0*' 'libnettle8*' 'libp11-kit0*' 'libpam*' libseccomp2 \
  'libsemanage*' 'libsepol2*' 'libss2*' 'libsystemd0*' 'libtasn1-6*' 'libudev1*' 'libunistring*' 'libxxhash0*' login login.defs \
  logsave mount ncurses-bin openssl openssl-provider-legacy passwd perl-base python3-distutils python3-lib2to3 python3-pip-whl \
  python3-setuptools-whl 'python3*-venv' sqv sysvinit-utils 'tzdata*' usr-is-merged util-linux util-linux-extra 2>/dev/null |
  sed -n 's/^ii *//p')
# Essential packages are among them, so their maintainer scripts, which need one another, go first.
for package in $packages; do
  rm -f /var/lib/dpkg/info/"$package".p* /var/lib/dpkg/info/"$package":*.p*
done
# shellcheck disable=SC2086
dpkg --purge --force-all $packages >/tmp/purge.log 2>&1 || {
  cat /tmp/purge.log >&2
  exit 1
}

stdlib=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
rm -rf "$stdlib"/site-packages/* "$stdlib"/config-* "$stdlib"/ensurepip "$stdlib"/idlelib "$stdlib"/lib2to3 \
  "$stdlib"/pydoc_data "$stdlib"/test "$stdlib"/tkinter "$stdlib"/turtle.py "$stdlib"/turtledemo
rm -rf /usr/local/bin/pip* /usr/local/bin/idle* /usr/local/bin/pydoc* /usr/local/bin/2to3* /usr/local/bin/*-config \
  /usr/local/include /usr/local/lib/pkgconfig /usr/local/lib/*.a /usr/local/share/man /usr/src
rm -rf /usr/share/bash-completion /usr/share/bug /usr/share/doc /usr/share/gcc /usr/share/gdb /usr/share/info \
  /usr/share/lintian /usr/share/locale /usr/share/man /usr/share/perl5 /usr/share/python-wheels /usr/share/zoneinfo \
  /usr/lib/valgrind /usr/lib/*-linux-*/gconv /usr/lib/*-linux-*/perl* \
  /etc/apt /etc/pam.d /etc/perl /etc/systemd /var/lib/apt /var/lib/pam /var/lib/systemd
rm -rf /var/cache/* /var/log/* /root/.cache /tmp/*

printf 'simops:x:10001:10001:SimOps:/tmp:/bin/false\n' >>/etc/passwd
printf 'simops:x:10001:\n' >>/etc/group

# What the purge changed has the time of now, and byte code is checked against nothing: both must not differ between builds.
find / -xdev -name __pycache__ -prune -exec rm -rf {} +
python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash "$stdlib" /usr/lib/python3* || true
rm -rf /tmp/*
find /bin /boot /etc /home /lib* /opt /root /sbin /srv /tmp /usr /var -xdev \
  ! \( -path /etc/hosts -o -path /etc/hostname -o -path /etc/resolv.conf \) \
  -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
