"""SSH: the stock client, gated command by command and watched live, relayed to the target's own sshd."""
