extension AuthFailure {
    /// Why a login is refused: the one table of reasons. The raw values stand in the log (`code`) and in the audit
    /// stream (`reason`), and stay what they are; ``meaning`` says what each one is.
    public enum Reason: String, Sendable, CaseIterable {
        // Before the login.
        case startupInvalid = "startup_invalid"
        case tlsHandshakeFailed = "tls_handshake_failed"
        case tooManyClients = "too_many_clients"
        case shuttingDown = "shutting_down"
        // Policy.
        case noRuleMatches = "no_rule_matches"
        case ruleRejects = "rule_rejects"
        case policyUndecidable = "policy_undecidable"
        // Proof.
        case userUnknown = "user_unknown"
        case secretEmpty = "secret_empty"
        case secretUnusable = "secret_unusable"
        /// Of a proof that is a password, or made of one.
        case passwordWrong = "password_wrong"
        /// Of any other proof: a token, a code, a certificate.
        case proofWrong = "proof_wrong"
        case peerUnknown = "peer_unknown"
        case peerMismatch = "peer_mismatch"
        case certificateMissing = "certificate_missing"
        case certificateMismatch = "certificate_mismatch"
        case channelBindingWrong = "channel_binding_wrong"
        case protocolViolation = "protocol_violation"
        case serviceUnavailable = "service_unavailable"
        // Behind the proof.
        case poolMissing = "pool_missing"
        case serverRefused = "server_refused"
        case serverUnavailable = "server_unavailable"
        // Any time.
        case clientLeft = "client_left"
        case endedByAdministrator = "ended_by_administrator"
        case deadlinePassed = "deadline_passed"
        /// Something of a plug-in's own; the text for the log says what.
        case other = "other"
    }
}

extension AuthFailure.Reason {
    /// One sentence without a full stop, for the reference page.
    public var meaning: String {
        switch self {
        case .startupInvalid:
            "The startup packet is malformed, or asks for something that the gateway does not have"
        case .tlsHandshakeFailed: "TLS could not be agreed on, or the client's certificate does not hold"
        case .tooManyClients: "`max_connections` clients are connected"
        case .shuttingDown: "The gateway stops"
        case .noRuleMatches: "No hba rule matches the connection"
        case .ruleRejects: "An hba rule with the method `reject` matches"
        case .policyUndecidable: "An hba rule cannot be decided, because a look-up that it needs has failed"
        case .userUnknown: "No secret source knows the user"
        case .secretEmpty: "The user's secret is empty, and the method asks for a proof"
        case .secretUnusable: "The user's secret is of a kind that the method does not admit"
        case .passwordWrong: "The password, or the proof made of it, is wrong; `method` says how it was asked for"
        case .proofWrong: "A proof that is no password (a token, a certificate) does not hold"
        case .peerUnknown: "Method `peer`: the operating system does not say who the client is"
        case .peerMismatch: "Method `peer`: neither the client's name in the system nor the map makes it this user"
        case .certificateMissing:
            "The rule asks for a certificate (`clientcert=`, method `cert`), and the client has shown none"
        case .certificateMismatch:
            "`clientcert=verify-full` or method `cert`: neither the certificate's name nor the map makes it this user"
        case .channelBindingWrong:
            "The client sees another certificate than ours, or no offer of SCRAM-SHA-256-PLUS: who is in the middle?"
        case .protocolViolation: "The client breaks the protocol of the method"
        case .serviceUnavailable: "A secret source, or another service that the method needs, cannot answer"
        case .poolMissing: "The client has proved who it is, and no pool is configured for that user and database"
        case .serverRefused: "PostgreSQL refuses the session that the login needs, with an error of its own"
        case .serverUnavailable: "No server connection could be had for the login in time"
        case .clientLeft: "The client went away before the login was complete"
        case .endedByAdministrator: "An administrator has ended the user's sessions (`KILL USER`), logins included"
        case .deadlinePassed: "The login was not complete within `client_login_timeout`"
        case .other: "A reason of a plug-in's own; `reason_text` says which"
        }
    }

    /// The client failed to prove who it is: exactly the refusals that look alike to it, so that users who do not exist
    /// are slowed like those who do.
    public var isFailedProof: Bool {
        switch self {
        case .userUnknown, .secretEmpty, .secretUnusable, .passwordWrong, .proofWrong: true
        case .startupInvalid, .tlsHandshakeFailed, .tooManyClients, .shuttingDown, .noRuleMatches, .ruleRejects,
            .policyUndecidable, .peerUnknown, .peerMismatch, .certificateMissing, .certificateMismatch,
            .channelBindingWrong, .protocolViolation, .serviceUnavailable, .poolMissing,
            .serverRefused, .serverUnavailable, .clientLeft, .endedByAdministrator, .deadlinePassed, .other:
            false
        }
    }
}
