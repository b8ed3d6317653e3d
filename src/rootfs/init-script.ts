/** Where everything of ours is in an image, apart from what other programs look for at a fixed place. */
export const HOME = "/usr/local/lib/nex";

/** The programs of busybox that {@link INIT_SCRIPT} calls. */
export const INIT_APPLETS = [
  "mount",
  "mkdir",
  "cat",
  "cp",
  "rm",
  "ip",
  "ifconfig",
  "route",
  "env",
  "start-stop-daemon",
  "dmesg",
  "grep",
  "sleep",
  "sync",
  "reboot",
  "touch",
];

/**
 * The first process of a virtual machine: mounts what the kernel does not, gives `eth0` the address of the kernel's `ip=`
 * argument where the kernel itself does not (Debian's), runs the agent as user `nex`, says why it ended and restarts the
 * machine, which ends its monitor. With the kernel argument `nex.probe` it only says that it runs.
 */
export const INIT_SCRIPT = `#!${HOME}/busybox sh
export PATH=${HOME}/bin

finish() {
  sync
  mount -o remount,ro / 2>/dev/null
  # The serial port sends what it holds.
  sleep 0.2
  reboot -f
}

# ADDRESS:SERVER:GATEWAY:NETMASK:NAME:DEVICE:MODE:DNS:DNS
network() {
  local IFS=:
  set -- $1
  case $1 in *.*.*.*) ;; *) return ;; esac
  local device=\${6:-eth0}
  [ -e /sys/class/net/$device ] || return
  case "$(ip -4 addr show dev $device)" in
    *inet*) ;;
    *)
      ifconfig $device $1 \${4:+netmask} \${4:+$4} up
      [ -n "$3" ] && route add default gw $3
      ;;
  esac
  [ -e /proc/net/pnp ] || nameservers $8 $9
}

nameservers() {
  if ! touch /etc/.nex 2>/dev/null; then
    cp -a /etc /run/etc
    mount --bind /run/etc /etc
  fi
  rm -f /etc/.nex /etc/resolv.conf
  for server; do echo "nameserver $server"; done >/etc/resolv.conf
}

out_of_memory() {
  grep -q '^oom_kill [1-9]' /proc/vmstat && return
  dmesg | grep -q 'Out of memory: Killed process'
}

mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
exec </dev/null >/dev/console 2>&1
arguments=$(cat /proc/cmdline)
case " $arguments " in
  *' nex.probe '*)
    echo 'nex-probe: ok'
    finish
    ;;
esac

mount -o remount,rw / 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs /dev/shm
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs /tmp
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs /run
# Without it a machine whose memory is full reads its programs again and again instead of ending the greediest process.
if [ -e /sys/kernel/mm/lru_gen/min_ttl_ms ]; then
  echo y >/sys/kernel/mm/lru_gen/enabled
  echo 1000 >/sys/kernel/mm/lru_gen/min_ttl_ms
fi
ip link set lo up
for argument in $arguments; do
  case $argument in
    ip=*) network "\${argument#ip=}" ;;
  esac
done

cd /home/nex
env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/home/nex \\
  start-stop-daemon -S -c 1000:1000 -x /usr/local/bin/agent &
wait $!
status=$?
if [ $status = 137 ] && out_of_memory; then
  echo 'nex-agent: out of memory in the virtual machine'
else
  echo "nex-init: the agent ended with exit code $status"
fi
finish
`;
