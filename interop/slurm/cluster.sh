#!/bin/bash
# cluster.sh COMMAND... runs a command on a cluster of two nodes, made of this machine, and removes the cluster.
#
#                       head 10.77.0.254: munged, slurmctld, COMMAND
#                         |
#            .------------+------------.
#     n1 10.77.0.1: slurmd      n2 10.77.0.2: slurmd
#
# Each node has a host name, a network interface (eth0) and a folder /mnt of its own, and they share every other file.
# All of it is in namespaces of this process: nothing of the machine is changed, and everything ends with this
# process, however it ends. $SLURM_TEST is a temporary folder. `cluster.sh bash` gives a cluster to try things on.
#
# It needs root, as slurmd starts jobs in the name of users, and Slurm and munge, which it installs where there is apt-get.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

missing() {
    local tool
    for tool in slurmctld slurmd munged sbatch ip unshare; do command -v $tool >/dev/null || echo $tool; done
}

if [ -z "${SLURM_TEST:-}" ]; then # outside: find what is needed, then start again in namespaces
    [ "$(id -u)" = 0 ] || { echo "make slurm-test: starting slurmd needs root (in a container, too)"; exit 1; }
    if [ -n "$(missing)" ]; then
        echo "no" $(missing)": installing slurm-wlm, munge, iproute2"
        command -v apt-get >/dev/null || { echo "without apt-get: install Slurm and munge, then try again"; exit 1; }
        log=$(mktemp)
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends slurm-wlm munge iproute2; } >$log 2>&1 ||
            { tail -n 5 $log; exit 1; }
        rm $log
    fi
    SLURM_TEST=$(mktemp -d)
    chmod 755 $SLURM_TEST # munged wants it
    export SLURM_TEST
    trap 'rm -rf $SLURM_TEST' EXIT
    unshare --mount --uts --net --pid --fork --mount-proc --kill-child "$0" "$@" && exit
    status=$?
    [ -z "${KEEP:-}" ] || { trap - EXIT; echo "kept $SLURM_TEST"; }
    exit $status
fi

dir=$SLURM_TEST
mkdir $dir/{log,munge,state,spool,n1,n2}
exec 3>&1 >$dir/log/cluster 2>&1 # a job's output is not mixed with the daemons'

network() {
    hostname head
    printf '127.0.0.1 localhost\n10.77.0.254 head\n10.77.0.1 n1\n10.77.0.2 n2\n' >$dir/hosts
    mount --bind $dir/hosts /etc/hosts
    mkdir -p /run/netns
    mount -t tmpfs none /run/netns
    ip link set lo up
    ip link add br0 type bridge
    ip addr add 10.77.0.254/24 dev br0
    ip link set br0 up
    local i
    for i in 1 2; do
        ip netns add n$i
        ip link add port$i type veth peer name eth0 netns n$i
        ip link set port$i master br0 up
        ip -n n$i addr add 10.77.0.$i/24 dev eth0
        ip -n n$i link set eth0 up
        ip -n n$i link set lo up
    done
}

configure() {
    cat >$dir/slurm.conf <<CONF
ClusterName=fmsr
SlurmctldHost=head(10.77.0.254)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.%n.pid
SlurmctldLogFile=$dir/log/slurmctld
SlurmdLogFile=$dir/log/slurmd.%n
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1
JobRequeue=1
KillWait=5
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
NodeName=n1 NodeAddr=10.77.0.1 CPUs=4 RealMemory=1000
NodeName=n2 NodeAddr=10.77.0.2 CPUs=4 RealMemory=1000
PartitionName=work Nodes=n1,n2 Default=YES MaxTime=INFINITE PriorityTier=1 GraceTime=15
PartitionName=urgent Nodes=n1,n2 MaxTime=INFINITE PriorityTier=2 PreemptMode=off
CONF
    export SLURM_CONF=$dir/slurm.conf
}

start() {
    (umask 077 && head -c 1024 /dev/urandom >$dir/munge/key)
    munged --foreground --force --key-file $dir/munge/key --socket $dir/munge/socket --pid-file $dir/munge/pid --seed-file $dir/munge/seed --log-file $dir/log/munged &
    slurmctld -D -c &
    local node
    for node in n1 n2; do
        mkdir $dir/spool/$node
        nsenter --net=/run/netns/$node unshare --mount --uts bash -c "hostname $node; mount --bind $dir/$node /mnt; exec slurmd -D -N $node" &
    done
    for _ in $(seq 60); do
        [ "$(sinfo -h -N -p work -t idle -o %N | wc -w)" != 2 ] || return 0
        sleep 0.5
    done
    sinfo -N
    return 1
}

network && configure && start || { tail -n 5 $dir/log/* >&3; exit 1; }
"$@" >&3 2>&3 3>&-
