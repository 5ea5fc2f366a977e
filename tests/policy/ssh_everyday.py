"""Commands of every day on a host. Data for `test_ssh_guard`."""

from __future__ import annotations

EVERYDAY = r"""
ls
ls -la
ls -lah /var/www
ls -l /var/log/*.log
ls ~
pwd
whoami
id
id www-data
groups
uname -a
uname -r
hostname
hostname -f
hostname -I
uptime
date
date -u
date +%Y-%m-%d
date "+%F %T"
free -m
free -h
df -h
df -hT /
du -sh /var/log
du -sh /var/log/*
du -h --max-depth=1 /srv
lsblk
lscpu
nproc
vmstat 1 5
iostat -x 1 3
ps
ps aux
ps -ef
ps aux | grep nginx
ps aux --sort=-%mem | head -n 10
ps -eo pid,ppid,cmd,%mem,%cpu --sort=-%cpu | head
pgrep -fl nginx
pidof nginx
top -bn1 | head -n 20
w
who
last -n 10
stat /etc/hosts
find /var/log -name '*.log' -mtime -1
find . -type f -size +100M
which nginx
command -v docker
test -f /etc/nginx/nginx.conf && echo yes
cat /etc/os-release
cat /etc/hosts
cat /proc/cpuinfo | grep processor | wc -l
cat /proc/meminfo
cat /proc/loadavg
head -n 50 /var/log/syslog
head -20 /var/log/syslog
tail /var/log/syslog
tail -n 100 /var/log/nginx/error.log
tail -f /var/log/syslog
tail -F /var/log/nginx/access.log
tail -n 1000 /var/log/syslog | grep -i error
tail -f -n 20 /var/log/syslog
grep -i error /var/log/syslog
grep -c 500 /var/log/nginx/access.log
grep -r timeout /var/log/nginx
grep 'x\.y' /var/log/syslog | sort | uniq -c | sort -rn | head -n 5
cut -d ' ' -f 1 /var/log/nginx/access.log | sort | uniq -c
cut -d: -f1 /var/log/dpkg.log
zcat /var/log/syslog.2.gz | grep oom
wc -l /var/log/syslog
sha256sum /var/log/syslog
systemctl status nginx
systemctl is-active nginx
systemctl --failed
systemctl list-units --type=service --state=running
systemctl list-timers
journalctl -u nginx -n 100 --no-pager
journalctl -u nginx --since "1 hour ago"
journalctl -p err -b
journalctl -f -u app
dmesg -T | tail -n 50
ss -tlnp
ss -s
netstat -tulpn
ip a
ip addr show eth0
ip route
lsof -i :8080
ping -c 3 localhost
docker ps
docker ps -a --format '{{.Names}}'
docker logs --tail 100 web
docker stats --no-stream
docker images
kubectl get pods
kubectl get pods -n shop -o wide
kubectl get nodes
kubectl logs -n shop web-1 --tail=50
kubectl top pods
nginx -t
dpkg -l | grep openssl
apt list --installed
uptime; free -m; df -h
ls /nonexistent 2>/dev/null || echo none
cd /var/www && ls -la
echo hello
time ls
getent hosts db-1
/usr/bin/uptime
/bin/ls -l
env | sort
awk '{print $1}' /var/log/nginx/access.log
sed -n '1,20p' /var/log/syslog
curl -s localhost:8080/health
crontab -l
cat /srv/app/config.yaml
git -C /srv/app log -1
for i in 1 2 3; do uptime; done
if [ -f /x ]; then echo y; fi
echo $HOME
python3 --version
cat ~/.bashrc
xargs -n1 echo
"""
