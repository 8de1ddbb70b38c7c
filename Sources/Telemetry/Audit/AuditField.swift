/// One field of the audit stream: its name, what it means, and where its value comes from. The lines of the audit log,
/// the columns of `SHOW AUDIT` and the reference page are made of this table. Immutable.
package struct AuditField: Sendable {
    package enum Kind: String, Sendable {
        case text
        case number
        case flag = "true or false"
    }

    package enum Value: Sendable, Equatable {
        case text(String)
        case number(Int64)
        case flag(Bool)
        case none
    }

    package let name: String
    package let kind: Kind
    /// The events whose records have the field; others are written without it.
    package let events: [AuditEvent]
    /// One sentence without a full stop.
    package let meaning: String
    /// `"name":` in UTF-8.
    let jsonKey: [UInt8]
    /// `none` where a record that has the field has no value for it.
    package let value: @Sendable (AuditRecord) -> Value

    private init(
        _ name: String,
        _ kind: Kind,
        _ events: [AuditEvent],
        _ meaning: String,
        _ value: @escaping @Sendable (AuditRecord) -> Value
    ) {
        self.name = name
        self.jsonKey = Array("\"\(name)\":".utf8)
        self.kind = kind
        self.events = events
        self.meaning = meaning
        self.value = value
    }

    /// In the order in which they are written.
    package static let all: [AuditField] = Self.who + Self.how + Self.end

    /// The fields of each event in the same order.
    static let byEvent = Dictionary(
        uniqueKeysWithValues: AuditEvent.allCases.map { event in
            (event, Self.all.filter { $0.events.contains(event) })
        }
    )

    private static let all3: [AuditEvent] = [.login, .logout, .command]

    private static let who: [AuditField] = [
        text("time", AuditEvent.allCases, "When, in UTC (RFC 3339, microseconds)") { AuditLine.time($0.time) },
        text("event", AuditEvent.allCases, "`login`, `logout`, `command` or `dropped`") { $0.event.rawValue },
        text("connection", all3, "Number of the client as in the log and in `SHOW CLIENTS`, such as `#c12`") {
            $0.subject.connection == 0 ? nil : "#c\($0.subject.connection)"
        },
        text("address", all3, "Address of the client, `[local]` for a unix socket") { $0.subject.address.text },
        number("port", all3, "Port of the client; none for a unix socket") { $0.subject.address.port.map(Int64.init) },
        flag("tls", all3, "Whether the connection is encrypted") { $0.subject.tls != nil },
        text("tls_version", all3, "Version of TLS") { $0.subject.tls?.version },
        text("tls_cipher", all3, "Cipher suite of TLS") { $0.subject.tls?.cipher },
        text("tls_client_subject", all3, "Subject of the client's certificate") { $0.subject.tls?.clientSubject },
        text("database", all3, "Database of the startup packet, or the pool that the TLS host name led to") {
            $0.subject.database.nonEmpty
        },
        text("user", all3, "User of the startup packet") { $0.subject.user.nonEmpty },
        text("identity", all3, "Who the client is after its login") { $0.subject.identity },
        text("pool", all3, "Pool of the session as `user@database`; none on the console") { record in
            record.subject.poolUser.map { "\($0)@\(record.subject.database)" }
        },
        text("server_user", all3, "Name used at the server; none on the console") { $0.subject.serverUser },
    ]

    private static let how: [AuditField] = [
        text("rule_file", [.login], "File of the hba rule that decided") { $0.login?.rule?.file },
        number("rule_line", [.login], "Line of that rule") { $0.login?.rule.map { Int64($0.line) } },
        text("method", [.login], "Method of that rule") { $0.login?.rule?.method },
        text("provider", [.login], "Provider that admitted the client") { $0.login?.provider },
        text("secret_source", [.login], "Where the user's secret was found") { $0.login?.secretSource },
        flag("cached", [.login], "Whether the secret came from a cache") { $0.login?.isCached },
        text("verdict", [.login], "`admitted` or `refused`") { record in
            record.login.map { $0.refusal == nil ? "admitted" : "refused" }
        },
    ]

    private static let end: [AuditField] = [
        text("command", [.command], "The statement; what stood in single quotes is left out") { $0.command?.text },
        text("outcome", [.command], "`ok`, or the SQLSTATE of the error") { record in
            record.command.map { $0.sqlState ?? "ok" }
        },
        text("reason", [.login, .logout], "Code of the table of reasons; none for an admitted client") { record in
            record.login?.refusal?.code ?? record.logout?.cause.rawValue
        },
        text("reason_text", [.login, .logout], "The same in words, as in the log") { record in
            record.login?.refusal?.text ?? record.logout?.text
        },
        number(
            "duration_us", [.login, .logout],
            "Microseconds from the startup packet to the verdict; for `logout` from accept to the end"
        ) { $0.login?.durationMicroseconds ?? $0.logout?.durationMicroseconds },
        number("transactions", [.logout], "Transactions of the session") { record in
            record.logout.map { Int64(clamping: $0.transactions) }
        },
        number("queries", [.logout], "Queries of the session; on the console, commands") { record in
            record.logout.map { Int64(clamping: $0.queries) }
        },
        number("dropped", [.dropped], "How many records are missing here") { record in
            if case .dropped(let count) = record.detail { Int64(count) } else { nil }
        },
    ]

    private static func text(
        _ name: String, _ events: [AuditEvent], _ meaning: String,
        _ value: @escaping @Sendable (AuditRecord) -> String?
    ) -> Self {
        Self(name, .text, events, meaning) { value($0).map(Value.text) ?? .none }
    }

    private static func number(
        _ name: String, _ events: [AuditEvent], _ meaning: String,
        _ value: @escaping @Sendable (AuditRecord) -> Int64?
    ) -> Self {
        Self(name, .number, events, meaning) { value($0).map(Value.number) ?? .none }
    }

    private static func flag(
        _ name: String, _ events: [AuditEvent], _ meaning: String,
        _ value: @escaping @Sendable (AuditRecord) -> Bool?
    ) -> Self {
        Self(name, .flag, events, meaning) { value($0).map(Value.flag) ?? .none }
    }
}

extension AuditRecord {
    fileprivate var login: AuditLogin? { if case .login(let login) = self.detail { login } else { nil } }
    fileprivate var logout: AuditLogout? { if case .logout(let logout) = self.detail { logout } else { nil } }
    fileprivate var command: AuditCommand? { if case .command(let command) = self.detail { command } else { nil } }
}

extension String {
    fileprivate var nonEmpty: String? { self.isEmpty ? nil : self }
}
