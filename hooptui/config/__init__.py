"""The configuration: YAML to frozen values, whose every error says file and line, what was found, and what was expected."""
