# Tries what must not work, inside a container and as its own user. `perl -e` gets this text: nothing is copied.
# Prints one line per attempt: name, result, detail. An attempt that succeeds is undone at once.
use strict;
use warnings;
use POSIX ();
use Socket;
use Errno qw(EPERM EACCES EROFS ENOSYS ENOENT);

$| = 1;
alarm 10;
my ($machine) = (POSIX::uname())[4];
# init_module is `module`, umount2 is `umount`.
my %numbers = (
    x86_64 => {
        mount => 165, umount => 166, unshare => 272, module => 175, bpf => 321, ptrace => 101, mknodat => 259,
        getpid => 39,
    },
    aarch64 => {
        mount => 40, umount => 39, unshare => 97, module => 105, bpf => 280, ptrace => 117, mknodat => 33,
        getpid => 172,
    },
);
my $call = $numbers{$machine};

sub say_ { print join("\t", @_), "\n" }

sub refused { my $number = $_[0] + 0; return grep { $number == $_ } EPERM, EACCES, EROFS, ENOSYS, ENOENT }

# Reports one attempt: whether it worked, else the error. Any error other than a refusal means that it was let through.
sub outcome {
    my ($name, $worked, $error) = @_;
    return say_($name, "succeeded", "it worked") if $worked;
    return say_($name, "refused", "$error") if refused($error);
    return say_($name, "succeeded", "let through, then: $error");
}

# A system call: without a table for this machine nothing can be tried.
sub try_call {
    my ($name, $key, @arguments) = @_;
    return !say_($name, "not possible", "no system call numbers for $machine") unless $call;
    my $result = syscall($call->{$key}, @arguments);
    my $error = $!;
    outcome($name, $result != -1, $error);
    return $result != -1;
}

# Controls.
say_("syscall", $call && syscall($call->{getpid}) == $$ ? "succeeded" : "failed", "getpid");
my $file = "/tmp/aidc-audit-$$";
say_("write-tmp", open(my $own, ">", $file) ? "succeeded" : "failed", "$file");
say_("datagram-socket", socket(my $plain, AF_INET, SOCK_DGRAM, 0) ? "succeeded" : "failed", "UDP");
say_("read-proc", open(my $status, "<", "/proc/self/status") ? "succeeded" : "failed", "/proc/self/status");
my $text = do { local $/; $status ? <$status> : "" };

# write-root: folders of the root file system that are not mounts.
my ($written, $why) = ("", 0);
for my $folder ("/", "/etc", "/usr/bin", "/usr/lib", "/opt", "/root") {
    my $path = "$folder/aidc-audit-$$";
    if (open(my $handle, ">", $path)) { $written = $folder; unlink $path; last }
    $why = $! unless $why;
}
$written ? say_("write-root", "succeeded", "wrote to $written") : outcome("write-root", 0, $why);

if ($< == 0) { say_("become-root", "not possible", "it runs as root, a waived exception") }
else {
    my $worked = POSIX::setuid(0);
    my $error = $!;
    outcome("become-root", $worked, $error);
}
my $kept = $text =~ /^NoNewPrivs:\s+1$/m;
say_("new-privileges", $kept ? "refused" : "succeeded", "no_new_privs is " . ($kept ? "set" : "not set"));

{
    my $worked = chown(65532, 65532, $file);
    my $error = $!;
    outcome("give-away", $worked, $error);
}
my $place = "/tmp";
try_call("mount", "mount", "none", $place, "tmpfs", 0, 0) && syscall($call->{umount}, $place, 0);
if (my $child = fork) { waitpid $child, 0 }
elsif (defined $child) { try_call("user-namespace", "unshare", 0x10000000); POSIX::_exit(0) }

# raw-socket: ICMP, then any packet of the interface (AF_PACKET).
{
    my $raw = socket(my $one, AF_INET, SOCK_RAW, 1);
    my $error = $!;
    my $packet = $raw ? 1 : socket(my $two, 17, SOCK_RAW, 0x0300);
    outcome("raw-socket", $raw || $packet, $error);
}

# ptrace: attaching (16) to our own child may work; to the process of another user it must not. 17 detaches.
my $child = fork;
if (defined $child && !$child) { sleep 5; POSIX::_exit(0) }
if ($child) {
    my $attached = $call && syscall($call->{ptrace}, 16, $child, 0, 0) != -1;
    say_("ptrace-child", $attached ? "succeeded" : "failed", "its own child");
    if ($attached) { waitpid $child, 0; syscall($call->{ptrace}, 17, $child, 0, 0) }
    kill 9, $child;
    waitpid $child, 0;
}
my $victim = 0;
for my $entry (glob "/proc/[0-9]*/status") {
    open(my $handle, "<", $entry) or next;
    local $/;
    if ((<$handle> // "") =~ /^Uid:\s+65534\s/m) {
        # A number, not a string: a system call takes a string for an address.
        $victim = 0 + ($entry =~ /(\d+)/)[0];
        last;
    }
}
if ($victim && $call) {
    my $worked = syscall($call->{ptrace}, 16, $victim, 0, 0) != -1;
    my $error = $!;
    outcome("ptrace", $worked, $error);
    if ($worked) { waitpid $victim, 0; syscall($call->{ptrace}, 17, $victim, 0, 0) }
}
else { say_("ptrace", "not possible", "there is no process of another user") }

try_call("module", "module", "no module", 9, "");
try_call("bpf", "bpf", 0, 0, 0);
{
    my $path = "$file-device";
    try_call("device", "mknodat", -100, $path, 0060600, 0x0800);
    unlink $path;
}

# engine-socket: the usual places, and any socket that is mounted under such a name.
my @sockets = map { ("/run/$_", "/var/run/$_") }
    qw(docker.sock containerd/containerd.sock podman/podman.sock crio/crio.sock);
if (open(my $mounts, "<", "/proc/self/mountinfo")) {
    while (<$mounts>) { my $at = (split)[4]; push @sockets, $at if $at =~ /\.sock$/ }
}
sub reaches {
    socket(my $end, PF_UNIX, SOCK_STREAM, 0) or return 0;
    return connect($end, pack_sockaddr_un($_[0]));
}
my ($reached) = grep { reaches($_) } @sockets;
say_("engine-socket", $reached ? "succeeded" : "refused", $reached // "none is there");

# host-paths: opening for writing changes nothing; reading one byte of memory reveals nothing.
my @opened = grep { open(my $handle, ">>", $_) } (
    "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
    "/sys/kernel/uevent_helper", "/sys/fs/cgroup/release_agent", glob("/sys/fs/cgroup/*/release_agent"),
);
for my $path ("/proc/kcore", "/proc/kmsg", "/dev/mem", "/dev/kmsg", "/dev/sda", "/dev/vda", "/dev/nvme0n1") {
    # A masked path is /dev/null under another name: it opens and gives nothing.
    sysopen(my $handle, $path, POSIX::O_RDONLY | POSIX::O_NONBLOCK) or next;
    push @opened, $path if sysread($handle, my $byte, 1);
}
say_("host-paths", @opened ? "succeeded" : "refused", @opened ? join(" ", @opened) : "none opens");

my $second = "";
if (open(my $handle, "<", "/proc/2/comm")) { $second = <$handle> // "" }
my $kernel = $second =~ /^kthreadd/;
my $seen = $kernel ? "the kernel's threads are there" : "its own only";
say_("host-processes", $kernel ? "succeeded" : "refused", $seen);
unlink $file;
