/// A row of `SHOW USERS`: one user of a pool. The gateway fills it; immutable afterwards.
package struct UserRow: ConsoleRow, Equatable {
    package var name: String
    package var poolMode: String

    package init(name: String, poolMode: String) {
        self.name = name
        self.poolMode = poolMode
    }

    package static let fields: [ConsoleField<Self>] = [
        .text("name", "Name of a user who has a pool, once for all databases") { $0.name },
        .text("pool_mode", "Mode of the first of the user's pools, in the order of `SHOW POOLS`") { $0.poolMode },
    ]
}

/// The only row of `SHOW CONNECTIONS`: connection attempts since start. The gateway fills it; immutable afterwards.
package struct ConnectionsRow: ConsoleRow, Equatable {
    package var total: Int
    package var errors: Int
    package var tls: Int
    package var plain: Int
    package var cancel: Int

    package init(total: Int, errors: Int, tls: Int, plain: Int, cancel: Int) {
        self.total = total
        self.errors = errors
        self.tls = tls
        self.plain = plain
        self.cancel = cancel
    }

    package static let fields: [ConsoleField<Self>] = [
        .number("total", "Connections accepted since start") { $0.total },
        .number(
            "errors",
            "Connections that failed before the login was complete, those that left without a word not among them"
        ) { $0.errors },
        .number("tls", "Connections whose TLS handshake was completed") { $0.tls },
        .number("plain", "Connections that sent a valid startup packet or a cancel request unencrypted") { $0.plain },
        .number("cancel", "Connections that carried a cancel request") { $0.cancel },
    ]
}

/// A row of `SHOW CONFIG`: one setting in force. The gateway fills it (secrets masked); immutable afterwards.
package struct ConfigRow: ConsoleRow, Equatable {
    package var key: String
    package var value: String?
    package var defaultValue: String?
    /// True when a reload changes the setting, false when only a restart does.
    package var isChangeable: Bool
    package var documentation: String

    package init(key: String, value: String?, defaultValue: String?, isChangeable: Bool, documentation: String) {
        self.key = key
        self.value = value
        self.defaultValue = defaultValue
        self.isChangeable = isChangeable
        self.documentation = documentation
    }

    package static let fields: [ConsoleField<Self>] = [
        .text("key", "Path of the setting, such as `general.port`") { $0.key },
        .text("value", "Value in force; empty when the setting is absent and has no value; secrets are masked") {
            $0.value
        },
        .text("default", "Value, or what holds, when the setting is absent; NULL when it has no default") {
            $0.defaultValue
        },
        .text("changeable", "`yes` when `RELOAD` applies a change, `no` when it takes a restart") {
            $0.isChangeable ? "yes" : "no"
        },
        .text("doc", "What the setting does") { $0.documentation },
    ]
}

/// A row of `SHOW STARTUP_PARAMETERS`: a parameter that the servers of a pool start with. The gateway fills it;
/// immutable afterwards.
package struct StartupParameterRow: ConsoleRow, Equatable {
    package var user: String
    package var database: String
    package var parameter: String
    package var value: String
    package var source: String

    package init(user: String, database: String, parameter: String, value: String, source: String) {
        self.user = user
        self.database = database
        self.parameter = parameter
        self.value = value
        self.source = source
    }

    package static let fields: [ConsoleField<Self>] = [
        .text("user", "User whose pool it is") { $0.user },
        .text("database", "Name of the pool") { $0.database },
        .text("parameter", "Name of the parameter as the settings spell it") { $0.parameter },
        .text("value", "Value that server connections start with") { $0.value },
        .text("source", "`general`, `pool`, `user`, or `auth_query` for users found by it: where it comes from") {
            $0.source
        },
        .text("state", "Always `applied`: servers with other values are replaced when the settings change") { _ in
            "applied"
        },
    ]
}
