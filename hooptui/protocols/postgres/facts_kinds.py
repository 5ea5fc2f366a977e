"""The kinds of statement as tables: class of the parse node to the effects that hang on nothing else. Data only."""

from __future__ import annotations

from typing import Final

QUERIES: Final = {
    "SelectStmt": "select",
    "InsertStmt": "insert",
    "UpdateStmt": "update",
    "DeleteStmt": "delete",
    "MergeStmt": "merge",
}

DOES: Final[dict[str, str]] = {
    "AlterCollationStmt": "alter", "AlterDatabaseRefreshCollStmt": "alter", "AlterDatabaseSetStmt": "alter",
    "AlterDatabaseStmt": "alter", "AlterDomainStmt": "alter", "AlterEnumStmt": "alter", "AlterEventTrigStmt": "alter code",
    "AlterExtensionStmt": "alter code", "AlterFdwStmt": "alter code", "AlterForeignServerStmt": "alter",
    "AlterFunctionStmt": "alter code", "AlterObjectDependsStmt": "alter", "AlterObjectSchemaStmt": "alter",
    "AlterOperatorStmt": "alter code", "AlterOwnerStmt": "alter", "AlterPolicyStmt": "alter", "AlterPublicationStmt": "alter",
    "AlterRoleSetStmt": "alter role", "AlterRoleStmt": "alter role", "AlterSeqStmt": "alter", "AlterStatsStmt": "alter",
    "AlterSubscriptionStmt": "alter", "AlterSystemStmt": "alter_system", "AlterTSConfigurationStmt": "alter",
    "AlterTSDictionaryStmt": "alter", "AlterTableMoveAllStmt": "alter", "AlterTableSpaceOptionsStmt": "alter",
    "AlterTypeStmt": "alter", "AlterUserMappingStmt": "alter", "CallStmt": "call", "CheckPointStmt": "checkpoint",
    "ClusterStmt": "cluster", "CommentStmt": "comment", "CompositeTypeStmt": "create", "CreateAmStmt": "create code",
    "CreateCastStmt": "create code", "CreateConversionStmt": "create code", "CreateDomainStmt": "create",
    "CreateEnumStmt": "create", "CreateEventTrigStmt": "create code", "CreateExtensionStmt": "create code",
    "CreateFdwStmt": "create code", "CreateForeignServerStmt": "create", "CreateForeignTableStmt": "create",
    "CreateFunctionStmt": "create code", "CreateOpClassStmt": "create code", "CreateOpFamilyStmt": "create code",
    "CreatePLangStmt": "create code", "CreatePolicyStmt": "create", "CreatePublicationStmt": "create",
    "CreateRangeStmt": "create code", "CreateRoleStmt": "create role", "CreateSchemaStmt": "create", "CreateSeqStmt": "create",
    "CreateStatsStmt": "create", "CreateStmt": "create", "CreateSubscriptionStmt": "create", "CreateTableSpaceStmt": "create",
    "CreateTransformStmt": "create code", "CreateTrigStmt": "create code", "CreateUserMappingStmt": "create",
    "CreatedbStmt": "create", "DefineStmt": "create code", "DoStmt": "do", "DropOwnedStmt": "drop revoke", "DropRoleStmt": "drop role",
    "DropStmt": "drop", "DropSubscriptionStmt": "drop", "DropTableSpaceStmt": "drop", "DropUserMappingStmt": "drop",
    "DropdbStmt": "drop", "ImportForeignSchemaStmt": "import_foreign_schema create", "IndexStmt": "create",
    "ListenStmt": "listen", "LoadStmt": "load", "NotifyStmt": "notify", "ReassignOwnedStmt": "alter role",
    "RefreshMatViewStmt": "refresh", "ReindexStmt": "reindex", "RenameStmt": "alter", "RuleStmt": "create code",
    "SecLabelStmt": "security_label", "TruncateStmt": "truncate", "ViewStmt": "create",
}  # fmt: skip
"""Class of the statement to its commands, where these hang on nothing but the class."""

NEUTRAL_CLASSES: Final = {
    "ClosePortalStmt": "close",
    "ConstraintsSetStmt": "set_constraints",
    "UnlistenStmt": "unlisten",
}

TRANSACTION: Final = {
    "TRANS_STMT_BEGIN": "begin", "TRANS_STMT_START": "begin", "TRANS_STMT_COMMIT": "commit", "TRANS_STMT_ROLLBACK": "rollback",
    "TRANS_STMT_SAVEPOINT": "savepoint", "TRANS_STMT_RELEASE": "release", "TRANS_STMT_ROLLBACK_TO": "rollback",
}  # fmt: skip
TWO_PHASE: Final = {
    "TRANS_STMT_PREPARE": "prepare_transaction", "TRANS_STMT_COMMIT_PREPARED": "commit_prepared",
    "TRANS_STMT_ROLLBACK_PREPARED": "rollback_prepared",
}  # fmt: skip
RELATIONS: Final = frozenset(
    {"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_FOREIGN_TABLE", "OBJECT_SEQUENCE", "OBJECT_INDEX"}
)
ON_RELATIONS: Final = frozenset(
    {"OBJECT_COLUMN", "OBJECT_TRIGGER", "OBJECT_RULE", "OBJECT_POLICY", "OBJECT_TABCONSTRAINT"}
)
CODE: Final = frozenset(
    {
        "OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE", "OBJECT_AGGREGATE", "OBJECT_TRIGGER", "OBJECT_RULE",
        "OBJECT_EVENT_TRIGGER", "OBJECT_EXTENSION", "OBJECT_LANGUAGE", "OBJECT_OPERATOR", "OBJECT_CAST", "OBJECT_OPCLASS",
        "OBJECT_OPFAMILY", "OBJECT_TRANSFORM", "OBJECT_FDW", "OBJECT_ACCESS_METHOD", "OBJECT_CONVERSION", "OBJECT_POLICY",
    }
)  # fmt: skip
FALSE: Final = frozenset({"false", "off", "0"})

NESTED: Final[dict[str, str]] = DOES | {
    "GrantStmt": "grant",
    "VariableSetStmt": "",
    "ReturnStmt": "",
    "ReplicaIdentityStmt": "",
}
"""What a statement inside a statement adds: the elements of CREATE SCHEMA, the actions of a rule, the SQL body of a function."""
