/// What the audit stream knows of. The raw values stand in the field `event`.
package enum AuditEvent: String, Sendable, CaseIterable {
    /// A client that sent a startup packet was admitted or refused.
    case login
    /// A client that had been admitted is gone.
    case logout
    /// A statement on the admin console.
    case command
    /// Records were lost; written to the audit log only.
    case dropped

    /// For the reference page.
    package var meaning: String {
        switch self {
        case .login: "One for each attempt to log in, admitted or refused"
        case .logout: "One for each end of an admitted session"
        case .command: "One for each statement on the admin console, also for those that fail"
        case .dropped: "Stands in the log where records are missing, once writing works again"
        }
    }
}

/// One entry of the audit stream: what the worker has at hand, as it has it. Text is made of it by the writer's thread
/// or for the console, never on a worker. Immutable; holds no secret.
package final class AuditRecord: Sendable {
    /// Microseconds since 1970-01-01T00:00:00Z.
    package let time: Int64
    package let subject: AuditSubject
    package let detail: Detail

    package enum Detail: Sendable {
        case login(AuditLogin)
        case logout(AuditLogout)
        case command(AuditCommand)
        case dropped(Int)
    }

    package init(time: Int64 = AuditRecord.now(), _ subject: AuditSubject, _ detail: Detail) {
        self.time = time
        self.subject = subject
        self.detail = detail
    }

    package var event: AuditEvent {
        switch self.detail {
        case .login: .login
        case .logout: .logout
        case .command: .command
        case .dropped: .dropped
        }
    }

    /// What `SHOW AUDIT FAILURES` shows.
    package var isFailure: Bool {
        switch self.detail {
        case .login(let login): login.refusal != nil
        case .command(let command): command.sqlState != nil
        case .logout, .dropped: false
        }
    }
}

/// Whom a record is about. Long names are cut here already, so that what is remembered has a bound. Immutable;
/// the records of one session share it.
package final class AuditSubject: Sendable {
    /// The number of the client; 0 for a connection that was turned away before it got one.
    package let connection: Int32
    package let address: AuditAddress
    /// Nil for a connection without TLS.
    package let tls: AuditTLS?
    package let database: String
    /// As the client gave it; empty when the connection ended before it did.
    package let user: String
    /// Who the client is after its login; nil when it has none.
    package let identity: String?
    /// The user of the pool; nil when there is none.
    package let poolUser: String?
    /// The name used at the server; nil when there is no pool.
    package let serverUser: String?

    package init(
        connection: Int32,
        address: AuditAddress,
        tls: AuditTLS? = nil,
        database: String,
        user: String,
        identity: String? = nil,
        poolUser: String? = nil,
        serverUser: String? = nil
    ) {
        self.connection = connection
        self.address = address
        self.tls = tls
        self.database = AuditLine.cut(database)
        self.user = AuditLine.cut(user)
        self.identity = identity.map { AuditLine.cut($0) }
        self.poolUser = poolUser.map { AuditLine.cut($0) }
        self.serverUser = serverUser.map { AuditLine.cut($0) }
    }
}

/// What TLS says of a connection. Immutable.
package struct AuditTLS: Sendable {
    package let version: String
    package let cipher: String
    /// The subject of the client's certificate; nil without one.
    package let clientSubject: String?

    package init(version: String, cipher: String, clientSubject: String?) {
        self.version = version
        self.cipher = cipher
        self.clientSubject = clientSubject
    }
}

/// A login and what became of it. Immutable.
package struct AuditLogin: Sendable {
    /// Nil for an admitted client.
    package let refusal: AuditRefusal?
    /// The rule that decided; nil when none did.
    package let rule: AuditRule?
    package let provider: String?
    package let secretSource: String?
    /// Whether the secret came from a cache; nil when nobody knows or none was needed.
    package let isCached: Bool?
    /// From the startup packet to the verdict.
    package let durationMicroseconds: Int64

    package init(
        refusal: AuditRefusal?,
        rule: AuditRule? = nil,
        provider: String? = nil,
        secretSource: String? = nil,
        isCached: Bool? = nil,
        durationMicroseconds: Int64
    ) {
        self.refusal = refusal
        self.rule = rule
        self.provider = provider
        self.secretSource = secretSource
        self.isCached = isCached
        self.durationMicroseconds = durationMicroseconds
    }
}

/// Why a login was refused: a code of the table of reasons, and the text that the log has. Immutable.
package struct AuditRefusal: Sendable {
    package let code: String
    package let text: String

    package init(code: String, text: String) {
        self.code = code
        self.text = AuditLine.cut(text, to: AuditLine.reasonBytesMax)
    }
}

/// Where an hba rule stands, and its method. Immutable.
package final class AuditRule: Sendable {
    package let file: String
    package let line: Int
    package let method: String

    package init(file: String, line: Int, method: String) {
        self.file = file
        self.line = line
        self.method = method
    }
}

/// The end of a session. Immutable.
package struct AuditLogout: Sendable {
    package let cause: Cause
    package let text: String
    package let durationMicroseconds: Int64
    package let transactions: UInt64
    package let queries: UInt64

    /// The raw values stand in the field `reason`.
    package enum Cause: String, Sendable, CaseIterable {
        case clientLeft = "client_left"
        case sessionEnded = "session_ended"
        case shuttingDown = "shutting_down"

        /// For the reference page.
        package var meaning: String {
            switch self {
            case .clientLeft: "The client said goodbye, closed the connection, or its connection broke"
            case .sessionEnded: "The gateway ended the session; `reason_text` says why"
            case .shuttingDown: "The gateway stops"
            }
        }
    }

    package init(cause: Cause, text: String, durationMicroseconds: Int64, transactions: UInt64, queries: UInt64) {
        self.cause = cause
        self.text = AuditLine.cut(text, to: AuditLine.reasonBytesMax)
        self.durationMicroseconds = durationMicroseconds
        self.transactions = transactions
        self.queries = queries
    }
}

/// A console statement and how it ended. Immutable.
package struct AuditCommand: Sendable {
    /// Without what stood in single quotes.
    package let text: String
    /// Nil when it succeeded.
    package let sqlState: String?

    package init(text: String, sqlState: String?) {
        self.text = AuditLine.cut(text, to: AuditLine.reasonBytesMax)
        self.sqlState = sqlState
    }
}
