"""Names of programs, by what they can do beside their own work. Seeded from the manuals and GTFOBins' categories. Knows no protocol."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

SHELLS: Final = frozenset({"sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish", "csh", "tcsh", "rbash", "rsh"})

INTERPRETERS: Final = SHELLS | {
    "pwsh",
    "python", "pypy", "ipython", "perl", "ruby", "irb", "node", "nodejs", "deno", "bun", "php", "lua", "tclsh", "wish", "expect",
    "guile", "scheme", "racket", "Rscript", "julia", "java", "jshell", "groovy", "scala", "erl", "elixir", "iex", "ghc",
    "awk", "gawk", "mawk", "nawk", "original-awk", "bc", "dc", "m4", "make", "gmake", "cmake", "ninja", "rake",
    "vi", "vim", "nvim", "view", "ex", "ed", "emacs", "nano", "pico", "joe", "mcedit", "gdb", "lldb", "go", "cargo", "npx", "npm",
    "psql", "mysql", "mariadb", "sqlite3", "mongo", "redis-cli", "cpan", "pip", "gem", "ansible", "salt", "puppet",
}  # fmt: skip
"""Names less their versions; too many are better than too few."""

WRAPPERS: Final = frozenset(
    {
        "sudo", "doas", "pkexec", "nohup", "nice", "ionice", "chrt", "taskset", "setsid", "setpriv", "stdbuf", "timeout",
        "exec", "builtin", "chroot", "unshare", "nsenter", "flock", "script", "strace", "ltrace", "unbuffer", "catchsegv",
        "systemd-run", "systemd-inhibit", "systemd-nspawn", "start-stop-daemon", "daemonize", "dbus-run-session", "firejail", "bwrap",
        "proot", "fakeroot", "numactl", "prlimit", "cpulimit", "valgrind", "perf", "faketime", "rlwrap", "setarch", "linux32",
        "linux64", "i386", "x86_64", "run-parts", "ld.so", "ld-linux.so.2", "ld-linux-x86-64.so.2", "logsave", "expect_unbuffer",
        "screen", "tmux", "byobu", "at", "batch", "crontab", "runcon", "capsh", "sg", "newgrp", "aa-exec", "gosu", "su-exec", "chpst",
        "setuidgid", "softlimit", "envdir", "multitime", "hyperfine", "entr", "inotifywait", "choom", "coproc", "noglob", "nocorrect",
    }
)  # fmt: skip

PRIVILEGE: Final = frozenset(
    {
        "sudo",
        "sudoedit",
        "su",
        "doas",
        "pkexec",
        "runuser",
        "gosu",
        "su-exec",
        "setpriv",
        "capsh",
        "sg",
        "newgrp",
        "machinectl",
    }
)

SHELL_STATE: Final = frozenset(
    {
        "set", "shopt", "trap", "enable", "hash", "exec", "ulimit", "umask", "alias", "unalias", "bind", "complete", "fc", "read",
        "mapfile", "readarray", "getopts", "setopt", "emulate", "zmodload", "autoload", "disown", "bg", "fg", "suspend", "source", ".",
    }
)  # fmt: skip

NETWORK: Final = frozenset(
    {
        "curl", "wget", "nc", "ncat", "netcat", "socat", "telnet", "ftp", "lftp", "tftp", "scp", "sftp", "ssh", "rsync", "aria2c",
        "http", "https", "axel", "smbclient", "mail", "sendmail", "mailx", "nmap", "dig", "host", "nslookup", "openssl",
        "aws", "gcloud", "az", "rclone", "s3cmd", "autossh", "sshuttle", "chisel", "ngrok", "whois", "finger", "git",
    }
)  # fmt: skip

ESCAPES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "tar": (
            "--checkpoint-action", "--to-command", "-I", "--use-compress-program", "--rsh-command", "-F", "--info-script",
            "--new-volume-script", "--rmt-command",
        ),
        "git": (
            "-c", "--config-env", "--exec-path", "--upload-pack", "--receive-pack", "-u", "--ext-diff", "--textconv", "-O",
            "--open-files-in-pager", "bisect", "rebase", "filter-branch", "difftool", "mergetool", "submodule", "hook", "config",
        ),
        "rsync": ("-e", "--rsh", "--rsync-path", "--daemon"),
        "find": ("-delete", "-fprint", "-fprint0", "-fprintf", "-fls"),
        "sort": ("--compress-program", "-o", "--output"),
        "zip": ("-TT", "--unzip-command", "-T"),
        "man": ("-P", "--pager", "-H", "--html", "-X", "-C"),
        "scp": ("-S", "-o", "-D"),
        "sftp": ("-S", "-o", "-D", "-b"),
        "ssh": ("-o", "-F", "-L", "-R", "-D", "-W", "-J", "-w", "-A"),
        "less": ("+", "-k", "-o", "-O", "--lesskey"),
        "more": ("+!",),
        "split": ("--filter",),
        "ip": ("netns", "vrf", "-b", "-batch", "--batch"),
        "tcpdump": ("-z", "-w", "-Z"),
        "nmap": ("--script", "--interactive"),
        "curl": ("-K", "--config", "-o", "-O", "--output", "-T", "--upload-file", "-F", "-d", "--data"),
        "wget": ("--use-askpass", "-O", "--post-file", "--execute", "-e", "--config", "-i"),
        "systemctl": ("edit", "link", "set-property", "--root", "--host", "-H"),
        "date": ("-s", "--set"),
        "hostname": ("-F", "-b"),
        "sed": ("-i", "--in-place", "-f", "--file", "-e", "-n"),
        "dpkg": ("-i", "--install", "--pre-invoke", "--post-invoke", "-r", "-P", "--unpack"),
        "apt": ("-o",),
        "apt-get": ("-o",),
        "openssl": ("-engine", "engine", "-provider", "s_server", "s_client"),
        "env": ("-S", "--split-string"),
        "journalctl": ("--vacuum", "--rotate", "--flush", "--setup-keys"),
        "dmesg": ("-c", "-C", "--clear", "--read-clear", "-n", "-D", "-E"),
        "column": (),
        "gcc": ("-wrapper", "-fplugin", "-B"),
        "ld": ("-plugin",),
    }
)  # fmt: skip
"""Beginnings of arguments by which a program starts another, or writes what it usually reads."""

OPTION_VALUES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "sudo": frozenset(
            {
                "-u",
                "-g",
                "-h",
                "-p",
                "-C",
                "-r",
                "-t",
                "-T",
                "-U",
                "-D",
                "-R",
                "--user",
                "--group",
                "--host",
                "--prompt",
                "--chdir",
            }
        ),
        "doas": frozenset({"-u", "-C"}),
        "pkexec": frozenset({"--user"}),
        "env": frozenset({"-u", "-C", "--unset", "--chdir", "-S", "--split-string"}),
        "nice": frozenset({"-n", "--adjustment"}),
        "ionice": frozenset({"-c", "-n", "-p"}),
        "timeout": frozenset({"-s", "-k", "--signal", "--kill-after"}),
        "stdbuf": frozenset({"-i", "-o", "-e"}),
        "taskset": frozenset({"-p"}),
        "xargs": frozenset(
            {"-I", "-n", "-P", "-L", "-d", "-a", "-E", "-s", "--max-args", "--max-procs", "--delimiter", "--arg-file"}
        ),
        "flock": frozenset({"-w", "-E", "--timeout"}),
        "strace": frozenset({"-e", "-o", "-p", "-s", "-u", "-E", "-a"}),
        "exec": frozenset({"-a"}),
        "unshare": frozenset({"-S", "-G", "-R"}),
        "nsenter": frozenset({"-t", "--target", "-S", "-G"}),
        "watch": frozenset({"-n", "--interval", "-q"}),
        "parallel": frozenset({"-j", "-N", "--jobs", "-I", "-a"}),
        "time": frozenset({"-o", "-f", "--output", "--format"}),
        "systemd-run": frozenset({"-p", "-u", "-M", "-H", "--property", "--unit", "--uid"}),
        "ssh": frozenset(f"-{letter}" for letter in "BbcDEeFIiJLlmOopQRSWw"),
        "gosu": frozenset(),
    }
)
"""Options of wrappers whose value is the next word."""

SKIP: Final[Mapping[str, int]] = MappingProxyType(
    {
        "timeout": 1,
        "flock": 1,
        "chroot": 1,
        "taskset": 1,
        "gosu": 1,
        "su-exec": 1,
        "setuidgid": 1,
        "envdir": 1,
        "setarch": 1,
        "chrt": 1,
    }
)
"""Words before the program that are not options."""
