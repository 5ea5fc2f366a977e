"""The words for what an operation does, shared by those who read operations and the rules. Knows neither.

The words of COMMANDS are effects, so that a rule for `delete` meets the DELETE inside a CTE as well, and a statement may have
several: `SELECT … INTO` is `select` and `create`. The words of NEUTRAL are statements without an effect of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

UNKNOWN = "unknown"
"""The statement was not understood. No rule can name it and nothing allows it."""

COMMANDS: frozenset[str] = frozenset(
    {
        # data
        "select", "insert", "update", "delete", "merge", "truncate",
        "copy_to",  # with select: rows leave through COPY
        "copy_from",  # with insert: rows come in through COPY
        "copy_file",  # COPY reads or writes a file of the server
        "copy_program",  # COPY runs a program on the server
        # looking
        "show", "explain",
        # definitions
        "create", "alter", "drop", "comment", "security_label", "refresh", "import_foreign_schema",
        "code",  # creates or changes what runs later: functions, triggers, rules, extensions, operators, casts …
        # code now
        "call",  # CALL, or a function that is not known to be free of effects
        "do", "load",
        # who may what
        "grant", "revoke", "role", "set_role",
        # settings
        "set", "alter_system",
        # locks, upkeep, messages, two-phase commit
        "lock", "vacuum", "analyze", "reindex", "cluster", "checkpoint", "listen", "notify",
        "prepare_transaction", "commit_prepared", "rollback_prepared",
        UNKNOWN,
    }
)  # fmt: skip
"""Every word that `SqlFacts.commands` may hold; the vocabulary of rules."""

NEUTRAL: frozenset[str] = frozenset(
    {
        "begin", "commit", "rollback", "savepoint", "release", "set_constraints", "prepare", "execute", "deallocate",
        "declare", "fetch", "move", "close", "unlisten", "discard", "reset", "set", "empty",
    }
)  # fmt: skip
"""Every word that `SqlFacts.neutral` may hold. Whoever may connect may send these."""

GROUPS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "reads": frozenset({"select", "show", "explain", "copy_to"}),
        "writes": frozenset({"insert", "update", "delete", "merge", "copy_from"}),
        "ddl": frozenset({"truncate", "create", "alter", "drop", "comment", "security_label", "refresh", "import_foreign_schema", "code"}),
        "privileges": frozenset({"grant", "revoke", "role", "set_role"}),
        "server": frozenset({"copy_file", "copy_program", "load", "alter_system", "checkpoint"}),
        "upkeep": frozenset({"vacuum", "analyze", "reindex", "cluster"}),
    }
)  # fmt: skip
"""Short names that a rule may write among its commands, each for the commands it stands for."""

OPAQUE: frozenset[str] = frozenset(
    {"call", "code", "do", "load", "copy_program", "copy_file", "commit_prepared", "rollback_prepared"}
)
"""Commands whose text does not say which relations they touch, so that no condition on relations can be proved for them."""

# --- SSH

SSH_LOOKS: frozenset[str] = frozenset({"file_read", "file_list", "git_read", "rsync_read"})
"""Actions that change nothing on the target."""

SSH_CHANGES: frozenset[str] = frozenset(
    {
        "file_write", "file_remove", "file_rename", "file_mkdir", "file_setstat", "file_symlink",
        "git_write", "rsync_write",
    }
)  # fmt: skip
"""Actions that change files on the target."""

SSH_FORWARDS: frozenset[str] = frozenset(
    {
        "forward_out",  # direct-tcpip: the client reaches through the target
        "forward_in",  # tcpip-forward: the target's side reaches the client
        "forward_unix",  # the same with sockets that have a path
        "agent_forward",
    }
)  # fmt: skip

SSH_ACTIONS: frozenset[str] = SSH_LOOKS | SSH_CHANGES | SSH_FORWARDS | {"exec", "shell", "subsystem", UNKNOWN}
"""Every word that `SshFacts.actions` may hold; the vocabulary of rules."""

SSH_GROUPS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "reads": SSH_LOOKS,
        "writes": SSH_CHANGES,
        "files": frozenset(word for word in SSH_LOOKS | SSH_CHANGES if word.startswith("file_")),
        "forwards": SSH_FORWARDS,
    }
)
"""Short names that a rule may write among its actions."""

SSH_TRAITS: frozenset[str] = frozenset(
    {
        # what the text does not say
        "variable", "substitution", "arithmetic", "glob", "brace", "tilde",
        "computed",  # the name of a program is any of these, or an argument may become an option
        "stdin",  # what runs, or is given to a program, comes over the connection
        # what changes the meaning of the rest
        "environment",  # NAME=value before a program, or as a statement, export …
        "function", "shadowed",  # a function or alias; one that has the name of a program that is started
        "builtin",  # a builtin that changes the shell itself: set, shopt, trap, enable, hash, exec …
        # what it touches
        "redirects_out", "redirects_in", "descriptor", "heredoc", "network",
        "terminal",  # it runs in a pty, where a pager takes commands of its own
        # how it goes on
        "background", "loop",
        "compound",  # more than programs, arguments and operators between them: groups, keywords, substitutions, comments …
        # what runs others
        "interpreter",  # a shell or language with code of its own
        "wrapper",  # starts the program that its arguments name: env, nohup, xargs, find -exec …
        "privilege",  # as somebody else: sudo, su, doas …
        "escape",  # an argument by which a harmless program starts another
    }
)  # fmt: skip
"""Every word that `SshFacts.traits` may hold."""

# --- Kubernetes

KUBERNETES_READS: frozenset[str] = frozenset({"get", "list", "watch"})

KUBERNETES_WRITES: frozenset[str] = frozenset({"create", "update", "patch", "delete", "deletecollection"})

KUBERNETES_STREAMS: frozenset[str] = frozenset(
    {
        "exec", "attach", "portforward",
        "proxy",  # another server answers: of a pod, a service, a node's kubelet
    }
)  # fmt: skip

KUBERNETES_ACTIONS: frozenset[str] = (
    KUBERNETES_READS
    | KUBERNETES_WRITES
    | KUBERNETES_STREAMS
    | {
        "review",  # asks what oneself may do: selfsubjectaccessreviews and the like; created, never stored
        "dry_run",  # a write that the API server itself promises not to store
        UNKNOWN,
    }
)
"""Every word that `KubernetesFacts.actions` may hold; the vocabulary of rules.

What a request does, whatever its method: an eviction is `create` and `delete`, a server-side apply `patch` and `create`, a
deletecollection also `delete`. For paths that are no resource the words stand for GET and HEAD, POST, PUT, PATCH and DELETE."""

KUBERNETES_GROUPS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "reads": KUBERNETES_READS | {"review"},
        "writes": KUBERNETES_WRITES,
        "deletes": frozenset({"delete", "deletecollection"}),
        "streams": KUBERNETES_STREAMS,
    }
)
"""Short names that a rule may write among its verbs."""

KUBERNETES_TRAITS: frozenset[str] = frozenset(
    {
        # how
        "dry_run",
        "apply",  # server-side apply: creates what is not there
        "replaces",  # PUT of a whole object: what is not in it is lost, and what that is cannot be seen
        "json_patch",
        "status",  # of what is usually a controller's own
        "generated_name",
        "all_namespaces",
        # of a delete
        "force",  # at once, without grace
        "orphan", "foreground",
        "unsafe_delete",  # also when what is stored cannot be read: no finalizer, no admission
        # what an object loses or gains
        "removes_finalizers",  # or may
        "finalize",  # of a namespace
        "owner_references",  # with whose end it ends
        "pod_security",  # labels by which a namespace keeps pods in
        # of a workload
        "scale",
        "scale_to_zero",
        "suspends",
        "changes_image",
        "changes_command",
        "workload",  # has a pod, or a template of one
        "privileged",  # or as good as that: a profile that confines nothing, /proc unmasked, a process of the host
        "host_namespaces", "host_path", "host_port",
        "added_capabilities",  # beyond the baseline of the Pod Security Standards
        "run_as_root",  # says so, or that it may become root; also where it takes a guard against that away
        "security_context",  # says anything of it at all
        "mounts_secret",  # as a volume, an environment, a file
        "service_account",  # names one, other than default
        "service_account_token",  # makes one
        "mounts_token",  # of the service account, where it says so
        "names_node",  # past the scheduler
        "ephemeral_container",
        "eviction",
        "binding",
        "cordon",  # of a node: unschedulable, taints
        # who may what
        "rbac",  # roles and their bindings
        "rbac_escalation",  # wildcards, escalate, bind, impersonate, secrets, another's pods …
        "cluster_admin",
        "csr", "csr_approval",
        # what reaches into everything
        "webhook", "api_service", "crd",
        "external",  # a service that is reachable from outside, or leads there
        # other servers
        "pod_proxy", "service_proxy", "node_proxy",
        "logs",
        # of a stream
        "stdin", "tty",
        "interpreter",  # a shell or language with code of its own
        "wrapper",  # starts the program that its arguments name
        "copies",  # tar, by which kubectl cp reads and writes files
    }
)  # fmt: skip
"""Every word that `KubernetesFacts.traits` may hold."""
