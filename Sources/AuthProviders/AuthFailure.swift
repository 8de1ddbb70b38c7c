package import PGWire

/// A refused login: its reason, the text for the log, and what the client may know. Contains no secret.
///
/// The client's text never tells whether the user exists, what secret it has, or which check failed.
public struct AuthFailure: Error, Sendable, Equatable {
    /// What log, audit stream and counters sort it by.
    public let reason: Reason
    /// For the log.
    public let logText: String
    /// The message of the FATAL ErrorResponse.
    public let clientText: String
    /// Five characters of SQLSTATE for the client.
    public let sqlStateText: String

    /// For plug-ins with texts of their own. A malformed SQLSTATE is replaced by 28000.
    public init(reason: Reason, logText: String, clientText: String, sqlStateText: String) {
        self.reason = reason
        self.logText = logText
        self.clientText = clientText
        self.sqlStateText = (SQLState(sqlStateText) ?? .invalidAuthorization).text
    }

    private init(reason: Reason, log: String, client: String, _ state: SQLState) {
        self.init(reason: reason, logText: log, clientText: client, sqlStateText: state.text)
    }

    /// The SQLSTATE for the ErrorResponse.
    package var sqlState: SQLState {
        SQLState(self.sqlStateText) ?? .invalidAuthorization
    }

    /// The ErrorResponse for the client.
    package var fields: ServerMessageFields {
        .fatal(self.sqlState, self.clientText)
    }
}

extension AuthFailure {
    /// PostgreSQL's one text for everything that is wrong with a user or its password, 28P01.
    public static func wrongPassword(of attempt: LoginAttempt, reason: Reason, log: String) -> AuthFailure {
        AuthFailure(
            reason: reason,
            log: log,
            client: "password authentication failed for user \"\(attempt.user)\"",
            .invalidPassword
        )
    }

    /// A rule `reject`, or no rule at all, 28000.
    public static func notPermitted(
        user: String,
        database: String,
        peerAddress: String,
        isTLS: Bool,
        reason: Reason = .ruleRejects,
        log: String
    ) -> AuthFailure {
        AuthFailure(
            reason: reason,
            log: log,
            client: "connection from \(peerAddress) to \(user)@\(database) (TLS: \(isTLS)) "
                + "is not permitted by HBA configuration",
            .invalidAuthorization
        )
    }

    /// Somebody other than the administrator asks for the console, 42501.
    package static func consoleForbidden(user: String) -> AuthFailure {
        AuthFailure(
            reason: .poolMissing,
            log: "\(user) is not the console's user (admin_username)",
            client: "user \"\(user)\" may not use the console",
            .insufficientPrivilege
        )
    }

    /// A user whom the policy lets in has no pool in the database, 3D000.
    package static func poolMissing(user: String, database: String) -> AuthFailure {
        AuthFailure(
            reason: .poolMissing,
            log: "no pool for \(user)@\(database)",
            client: "No pool configured for database: \"\(database)\", user: \"\(user)\"",
            .invalidCatalogName
        )
    }

    /// The client breaks the protocol, 08P01; `text` goes to both sides.
    public static func protocolViolation(_ text: String) -> AuthFailure {
        AuthFailure(reason: .protocolViolation, log: text, client: text, .protocolViolation)
    }

    /// The login is not bound to our certificate though both sides can, 28000 as in PostgreSQL; `text` goes to both
    /// sides.
    static func channelBindingWrong(_ text: String) -> AuthFailure {
        AuthFailure(reason: .channelBindingWrong, log: text, client: text, .invalidAuthorization)
    }

    /// The client asks for what SCRAM has and neither PostgreSQL nor we do, 0A000 as in PostgreSQL; `text` goes to both
    /// sides.
    static func scramPartUnsupported(_ text: String) -> AuthFailure {
        AuthFailure(reason: .protocolViolation, log: text, client: text, .featureNotSupported)
    }

    /// A secret source or another service cannot answer, 58000.
    public static func unavailable(log: String) -> AuthFailure {
        AuthFailure(
            reason: .serviceUnavailable,
            log: log,
            client: "Authentication service unavailable",
            .systemError
        )
    }

    /// A rule depends on something that cannot be known now, 58000.
    public static func policyUndecidable(log: String) -> AuthFailure {
        AuthFailure(
            reason: .policyUndecidable,
            log: log,
            client: "Authentication service unavailable",
            .systemError
        )
    }

    /// The connection ended during the login; the client will not read the text.
    public static func clientLeft(log: String = "client left during login") -> AuthFailure {
        AuthFailure(reason: .clientLeft, log: log, client: "connection closed", .connectionFailure)
    }

    /// The gateway stops; text and SQLSTATE 57P03 as for clients that come later.
    public static func shuttingDown() -> AuthFailure {
        let text = "the gateway is shutting down"
        return AuthFailure(reason: .shuttingDown, log: text, client: text, .cannotConnectNow)
    }

    /// An administrator ends the user's sessions; text and SQLSTATE 57P01 are PostgreSQL's.
    public static func endedByAdministrator(log: String) -> AuthFailure {
        AuthFailure(
            reason: .endedByAdministrator,
            log: log,
            client: "terminating connection due to administrator command",
            .adminShutdown
        )
    }

    /// The login took too long; text and SQLSTATE 57014 are PostgreSQL's.
    public static func deadlinePassed(log: String = "login deadline passed") -> AuthFailure {
        AuthFailure(
            reason: .deadlinePassed,
            log: log,
            client: "canceling authentication due to timeout",
            .queryCanceled
        )
    }
}
